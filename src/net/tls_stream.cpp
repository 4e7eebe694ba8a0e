#include "net/tls_stream.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

#include "net/loop.h"

namespace drover::net {
namespace {

constexpr std::size_t kRecord = 16 * 1024 + 512;  // bytes of TLS that are moved at once: a record and its frame

struct FreeSession {
  void operator()(SSL* session) const { SSL_free(session); }
};

// A session whose bytes go through memory: OpenSSL touches no socket.
struct Session {
  std::unique_ptr<SSL, FreeSession> ssl;
  BIO* from_peer;  // owned by ssl, as is the other
  BIO* to_peer;

  explicit Session(SSL_CTX* context)
      : ssl(SSL_new(context)), from_peer(BIO_new(BIO_s_mem())), to_peer(BIO_new(BIO_s_mem())) {
    SSL_set_bio(ssl.get(), from_peer, to_peer);
    SSL_set_connect_state(ssl.get());
  }

  // Only this host will do: its name is told to the server (SNI), and the certificate must have it.
  bool expect(const std::string& host) {
    if (const auto address = parse_ip(host, 0)) {
      return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), ip_text(*address).c_str()) == 1;
    }
    return SSL_set_tlsext_host_name(ssl.get(), host.c_str()) == 1 && SSL_set1_host(ssl.get(), host.c_str()) == 1;
  }

  // What OpenSSL wrote goes to the stream, which keeps what the peer does not take. False: the stream is broken.
  bool flush(Stream& stream) {
    std::array<char, kRecord> bytes;
    while (BIO_ctrl_pending(to_peer) > 0) {
      const int size = BIO_read(to_peer, bytes.data(), static_cast<int>(bytes.size()));
      if (size <= 0) return false;
      if (!stream.write(std::string_view(bytes.data(), static_cast<std::size_t>(size)))) return false;
    }
    return true;
  }
  void feed(std::string_view bytes) { BIO_write(from_peer, bytes.data(), static_cast<int>(bytes.size())); }

  // Why the last step failed, in OpenSSL's words.
  std::string fault() const {
    const long verified = SSL_get_verify_result(ssl.get());
    if (verified != X509_V_OK) return fmt::format("the certificate: {}", X509_verify_cert_error_string(verified));
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason == nullptr ? "no TLS is spoken there" : reason;
  }
};

class TlsStream final : public Stream {
 public:
  TlsStream(std::unique_ptr<Stream> inner, Session session, Loop& loop)
      : inner_(std::move(inner)), session_(std::move(session)), loop_(loop) {
    peer_ = inner_->peer();
    listen_to(*inner_);
    if (inner_->hung_up()) peer_hung_up();
  }

  void finish() override {
    SSL_shutdown(session_.ssl.get());
    session_.flush(*inner_);
    inner_->finish();
  }
  void abort() override { inner_->abort(); }
  bool has_input() const override {
    return SSL_pending(session_.ssl.get()) > 0 || BIO_ctrl_pending(session_.from_peer) > 0 || inner_->has_input();
  }

 private:
  Attempt try_read(std::span<char> into) override {
    while (true) {
      ERR_clear_error();
      const int size = SSL_read(session_.ssl.get(), into.data(), static_cast<int>(into.size()));
      if (!session_.flush(*inner_)) return {Outcome::failed};  // answers of TLS itself
      if (size > 0) return {Outcome::done, static_cast<std::size_t>(size)};
      const int why = SSL_get_error(session_.ssl.get(), size);
      if (why == SSL_ERROR_ZERO_RETURN) return {Outcome::ended};
      if (why != SSL_ERROR_WANT_READ) return {Outcome::failed};
      std::array<char, kRecord> bytes;
      const Attempt got = try_read_of(*inner_, bytes);
      if (got.outcome == Outcome::ended) return {Outcome::failed};  // cut, perhaps by somebody between us
      if (got.outcome != Outcome::done) return got;
      session_.feed({bytes.data(), got.bytes});
    }
  }

  // As much as one record, once the one before has left.
  Attempt try_write(std::span<const std::string_view> pieces) override {
    if (inner_->broken()) return {Outcome::failed};
    if (inner_->unsent() > 0) return {Outcome::blocked};
    for (const std::string_view piece : pieces) {
      if (piece.empty()) continue;
      ERR_clear_error();
      std::size_t taken = 0;
      const std::size_t most = std::min<std::size_t>(piece.size(), SSL3_RT_MAX_PLAIN_LENGTH);
      if (SSL_write_ex(session_.ssl.get(), piece.data(), most, &taken) != 1) return {Outcome::failed};
      return {session_.flush(*inner_) ? Outcome::done : Outcome::failed, taken};
    }
    return {Outcome::done, 0};
  }

  Loop& loop() override { return loop_; }

  std::unique_ptr<Stream> inner_;
  Session session_;
  Loop& loop_;
};

Error failed(ErrorCode code, std::string what) { return Error{code, Side::upstream, std::move(what)}; }

}  // namespace

void TlsClient::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<TlsClient> TlsClient::make(const TlsTrust& trust) {
  TlsClient client(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = client.context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, trust.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (trust.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_file(context, trust.ca_file.c_str()) != 1) {
    return failed(ErrorCode::config, fmt::format("{} holds no certificates that can be read", trust.ca_file));
  }
  return client;
}

Task<Result<std::unique_ptr<Stream>>> TlsClient::connect(std::unique_ptr<Stream> stream, Loop& loop, std::string host,
                                                         Mono deadline) const {
  Session session(context_.get());
  if (!session.expect(host)) co_return failed(ErrorCode::protocol, fmt::format("{:?} is no name for TLS", host));
  while (true) {
    ERR_clear_error();
    const int done = SSL_do_handshake(session.ssl.get());
    // Said before the flush: what it sends may be the alert that tells the server the same.
    const std::string fault = done == 1 ? "" : session.fault();
    const bool wants_more = done != 1 && SSL_get_error(session.ssl.get(), done) == SSL_ERROR_WANT_READ;
    if (!session.flush(*stream)) co_return failed(ErrorCode::reset, "the connection broke within the handshake");
    if (done == 1) co_return std::make_unique<TlsStream>(std::move(stream), std::move(session), loop);
    if (!wants_more) co_return failed(ErrorCode::protocol, fmt::format("TLS with {}: {}", host, fault));
    const auto bytes = co_await stream->read_some(deadline);
    if (!bytes) co_return failed(bytes.error(), fmt::format("TLS with {}: {}", host, name(bytes.error())));
    if (bytes->empty()) co_return failed(ErrorCode::closed, fmt::format("TLS with {}: it closed the connection", host));
    session.feed(*bytes);
  }
}

Result<std::unique_ptr<Listener>> TlsNetwork::listen(const Endpoint&, ListenOptions) {
  return failed(ErrorCode::system, "TLS listeners are not there yet");
}

Task<IoResult<std::unique_ptr<Stream>>> TlsNetwork::dial(Endpoint to, Mono deadline) {
  auto stream = co_await network_.dial(to, deadline);
  if (!stream) co_return std::unexpected(stream.error());
  auto secured = co_await client_.connect(std::move(*stream), loop(), host_, deadline);
  if (secured) co_return std::move(*secured);
  fault_ = secured.error().detail;
  co_return std::unexpected(secured.error().code);
}

}  // namespace drover::net
