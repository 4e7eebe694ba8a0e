#pragma once
// TLS over any stream, the client's side, by OpenSSL.

#include <memory>
#include <string>

#include "net/network.h"

struct ssl_ctx_st;  // OpenSSL's, which only tls_stream.cpp knows

namespace drover::net {

struct TlsTrust {
  std::string ca_file{};  // PEM; empty: whom the system trusts
  bool insecure = false;  // anybody: nothing is verified
};

// Whom to trust, made once for many connections. Thread: any.
class TlsClient {
 public:
  // Error (config): the file holds no certificates.
  static Result<TlsClient> make(const TlsTrust& trust);

  // Shakes hands with `host`, a name or an address, whose certificate must be for it. The stream that is returned owns
  // `stream`; an end without TLS's own goodbye is `reset` there. Errors: protocol (what TLS finds wrong is the detail),
  // timed_out, cancelled, closed, reset.
  Task<Result<std::unique_ptr<Stream>>> connect(std::unique_ptr<Stream> stream, Loop& loop, std::string host,
                                                Mono deadline) const;

 private:
  explicit TlsClient(ssl_ctx_st* context) : context_(context) {}

  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

// Dials over another network and speaks TLS with one host, so that flows need not know.
class TlsNetwork final : public Network {
 public:
  // `network` must outlive it.
  TlsNetwork(Network& network, TlsClient client, std::string host)
      : network_(network), client_(std::move(client)), host_(std::move(host)) {}

  Loop& loop() override { return network_.loop(); }
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options) override;
  Task<IoResult<std::unique_ptr<Stream>>> dial(Endpoint to, Mono deadline) override;

  // What was wrong with the last handshake that failed; empty: none did.
  const std::string& fault() const { return fault_; }

 private:
  Network& network_;
  TlsClient client_;
  std::string host_;
  std::string fault_;
};

}  // namespace drover::net
