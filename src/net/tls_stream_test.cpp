// TLS in the simulated world, against a server that is OpenSSL itself.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <fstream>

#include "net/sim_world.h"
#include "net/tls_stream.h"

namespace drover::net {
namespace {

using namespace std::chrono_literals;

// A key, and a certificate that it signed itself, for `node.test` and 127.0.0.1.
struct Identity {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&X509_free)> certificate{X509_new(), X509_free};

  Identity() {
    X509* const x509 = certificate.get();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key.get());
    X509_NAME* const subject = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("node"), -1, -1, 0);
    X509_set_issuer_name(x509, subject);
    X509_EXTENSION* const names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:node.test,IP:127.0.0.1");
    X509_add_ext(x509, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(x509, key.get(), EVP_sha256());
  }

  // As PEM, in a file that lasts as long as the tests.
  std::string file() const {
    const std::string path = testing::TempDir() + "drover-tls-" + std::to_string(::getpid()) + ".pem";
    std::FILE* const file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
    return path;
  }
};

enum class Goodbye : std::uint8_t { said, left_out };

// Sends back all that came up to a newline, `times` times, and closes.
class EchoServer {
 public:
  EchoServer(const Identity& identity, std::size_t times, Goodbye goodbye) : times_(times), goodbye_(goodbye) {
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
  }

  Task<> serve(std::unique_ptr<Stream> stream) {
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl.get());
    std::string said;
    while (!said.ends_with('\n')) {
      std::array<char, 100> bytes;
      const int size = SSL_read(ssl.get(), bytes.data(), bytes.size());
      flush(*ssl, *stream);
      if (size > 0) {
        said.append(bytes.data(), static_cast<std::size_t>(size));
        continue;
      }
      if (SSL_get_error(ssl.get(), size) != SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        co_return;
      }
      const auto more = co_await stream->read_some(kNever);
      if (!more || more->empty()) co_return;
      BIO_write(SSL_get_rbio(ssl.get()), more->data(), static_cast<int>(more->size()));
    }
    for (std::size_t i = 0; i < times_; ++i) {
      SSL_write(ssl.get(), said.data(), static_cast<int>(said.size()));
      flush(*ssl, *stream);
    }
    if (goodbye_ == Goodbye::said) SSL_shutdown(ssl.get());
    flush(*ssl, *stream);
    [[maybe_unused]] const auto drained = co_await stream->drained(0, kNever);
    stream->finish();
    // Until the client leaves.
    [[maybe_unused]] const auto left = co_await stream->read_some(kNever);
  }

 private:
  static void flush(SSL& ssl, Stream& stream) {
    std::array<char, 4096> bytes;
    for (int size = 0; (size = BIO_read(SSL_get_wbio(&ssl), bytes.data(), bytes.size())) > 0;) {
      [[maybe_unused]] const auto written =
          stream.write(std::string_view(bytes.data(), static_cast<std::size_t>(size)));
    }
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
  std::size_t times_;
  Goodbye goodbye_;
};

// What a client got.
struct Got {
  std::string text;
  std::optional<ErrorCode> broke{};
  std::string fault;
};

struct Visit {
  TlsTrust trust;
  std::string host = "node.test";
  std::string says = "hello\n";
  std::size_t times = 1;
  Goodbye goodbye = Goodbye::said;
  SimNetworkSettings settings{};
  bool plain = false;   // the server speaks no TLS
  bool silent = false;  // nor anything else
};

Task<> greet(std::unique_ptr<Stream> stream) {
  [[maybe_unused]] const auto written = stream->write(std::string_view("HTTP/1.1 400 Bad Request\r\n\r\n"));
  [[maybe_unused]] const auto left = co_await stream->read_some(kNever);
  [[maybe_unused]] const auto end = co_await stream->read_some(kNever);
}

Task<> hold(std::unique_ptr<Stream> stream) {
  while (true) {
    const auto bytes = co_await stream->read_some(kNever);
    if (!bytes || bytes->empty()) co_return;
  }
}

Task<> accept_one(Listener& listener, EchoServer& server, const Visit& visit) {
  auto stream = co_await listener.accept();
  if (!stream) co_return;
  if (visit.silent) {
    co_await hold(std::move(*stream));
  } else if (visit.plain) {
    co_await greet(std::move(*stream));
  } else {
    co_await server.serve(std::move(*stream));
  }
}

Task<> ask(TlsNetwork& network, Endpoint to, const Visit& visit, Got& got) {
  auto stream = co_await network.dial(to, network.loop().now() + 5s);
  if (!stream) {
    got.broke = stream.error();
    got.fault = network.fault();
    co_return;
  }
  std::string_view left = visit.says;
  while (!left.empty()) {
    const auto taken = co_await (*stream)->write_some(std::span(&left, 1), kNever);
    if (!taken) {
      got.broke = taken.error();
      co_return;
    }
    left.remove_prefix(*taken);
  }
  while (true) {
    const auto bytes = co_await (*stream)->read_some(network.loop().now() + 60s);
    if (!bytes) got.broke = bytes.error();
    if (!bytes || bytes->empty()) co_return;
    got.text += *bytes;
  }
}

const Identity& identity() {
  static const Identity identity;
  return identity;
}

Got visit_server(const Visit& visit, std::uint64_t seed = 1) {
  SimWorld world(seed, visit.settings);
  SimLoop loop(world);
  SimNetwork server_network(world, loop), client_network(world, loop);
  auto listener = server_network.listen(*parse_ip("127.0.0.1", 443)).value();
  EchoServer server(identity(), visit.times, visit.goodbye);
  TlsNetwork network(client_network, TlsClient::make(visit.trust).value(), visit.host);
  TaskGroup flows(loop);
  Got got;
  flows.spawn(accept_one(*listener, server, visit));
  flows.spawn(ask(network, listener->local(), visit, got));
  EXPECT_TRUE(world.run_until([&] { return flows.size() == 0; }, Mono{} + 1h)) << "seed " << seed;
  return got;
}

TlsTrust trusting() { return {.ca_file = identity().file()}; }

TEST(Tls, carries_bytes_both_ways) {
  for (const std::string_view host : {"node.test", "127.0.0.1"}) {
    const Got got = visit_server({.trust = trusting(), .host = std::string(host)});
    EXPECT_EQ(got.text, "hello\n") << got.fault;
    EXPECT_EQ(got.broke, std::nullopt);
  }
}

TEST(Tls, carries_all_of_much_however_the_network_cuts_it) {
  Visit visit{.trust = trusting(), .says = std::string(100'000, 'x') + "\n", .times = 10};
  visit.settings = {.jitter = 1ms, .window = 5'000, .max_read = 700, .max_write = 300, .notice = 1ms};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Got got = visit_server(visit, seed);
    std::string expected;
    for (std::size_t i = 0; i < visit.times; ++i) expected += visit.says;
    EXPECT_TRUE(got.text == expected) << got.text.size() << " bytes, seed " << seed << ' ' << got.fault;
    EXPECT_EQ(got.broke, std::nullopt) << "seed " << seed;
  }
}

TEST(Tls, an_end_without_a_goodbye_is_no_end) {
  const Got got = visit_server({.trust = trusting(), .goodbye = Goodbye::left_out});
  EXPECT_EQ(got.text, "hello\n");
  EXPECT_EQ(got.broke, ErrorCode::reset);
}

TEST(Tls, who_is_not_trusted_is_refused_in_words) {
  const Got stranger = visit_server({.trust = {}});
  EXPECT_EQ(stranger.broke, ErrorCode::protocol);
  EXPECT_EQ(stranger.fault, "TLS with node.test: the certificate: self-signed certificate");
  const Got other = visit_server({.trust = trusting(), .host = "other.test"});
  EXPECT_EQ(other.broke, ErrorCode::protocol);
  EXPECT_EQ(other.fault, "TLS with other.test: the certificate: hostname mismatch");
  const Got address = visit_server({.trust = trusting(), .host = "127.0.0.2"});
  EXPECT_EQ(address.fault, "TLS with 127.0.0.2: the certificate: IP address mismatch");
}

TEST(Tls, insecure_trusts_anybody) {
  const Got got = visit_server({.trust = {.insecure = true}, .host = "other.test"});
  EXPECT_EQ(got.text, "hello\n");
}

TEST(Tls, a_server_without_tls_is_told) {
  const Got got = visit_server({.trust = trusting(), .plain = true});
  EXPECT_EQ(got.broke, ErrorCode::protocol);
  EXPECT_EQ(got.fault, "TLS with node.test: wrong version number");
}

TEST(Tls, a_silent_server_ends_at_the_deadline) {
  const Got got = visit_server({.trust = trusting(), .silent = true});
  EXPECT_EQ(got.broke, ErrorCode::timed_out);
  EXPECT_EQ(got.fault, "TLS with node.test: timed_out");
}

TEST(Tls, a_file_without_certificates_is_named) {
  const auto client = TlsClient::make({.ca_file = "/nowhere/ca.pem"});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().detail, "/nowhere/ca.pem holds no certificates that can be read");
}

}  // namespace
}  // namespace drover::net
