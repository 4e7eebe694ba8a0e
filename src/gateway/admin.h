#pragma once
// The operators' listener: liveness, readiness, metrics, status, decisions, and trials of nodes. A socket and a router
// of its own: nothing that clients can send reaches it.

#include <functional>
#include <memory>
#include <string>

#include "gateway/published.h"
#include "net/network.h"
#include "wire/server_connection.h"

namespace drover::gateway {

// Where the answers come from. Called on the admin's loop, once per request.
struct AdminPages {
  std::function<std::string_view()> unready;  // why no request can be taken now; empty: ready
  std::function<std::string()> metrics;
  std::function<std::string()> status;  // JSON
  // About a request, or if that is empty, the last one; JSON. Errors (invalid): nothing is remembered of it.
  std::function<Result<std::string>(std::string_view request)> decisions;
  std::function<Result<void>(std::string_view node)> try_node;
  std::function<std::shared_ptr<const Published>()> published;
};

// Thread: its loop's.
class Admin {
 public:
  Admin(net::Network& network, AdminPages pages, guard::OriginRules origins)
      : network_(network), pages_(std::move(pages)), origins_(std::move(origins)), flows_(network.loop()) {}

  void serve(std::unique_ptr<net::Listener> listener);
  net::Task<> stop();

 private:
  static constexpr std::size_t kMaxConnections = 64;

  net::Task<> accept(std::unique_ptr<net::Listener> listener);
  net::Task<> serve_connection(std::unique_ptr<net::Stream> stream);
  net::Task<bool> answer(wire::ServerConnection& client, const wire::Incoming& request);
  net::Task<bool> try_node(wire::ServerConnection& client, const wire::Incoming& request, std::string_view node);

  net::Network& network_;
  AdminPages pages_;
  guard::OriginRules origins_;
  wire::ServerLimits limits_;
  net::TaskGroup flows_;
};

}  // namespace drover::gateway
