#pragma once
// One connection of a simulated node: requests one after another, routed and answered.

#include <memory>
#include <optional>
#include <string>

#include "api/routes.h"
#include "sim/exchange.h"
#include "sim/heads.h"
#include "sim/server.h"

namespace drover::sim {

class Connection {
 public:
  Connection(Server& server, net::Stream& stream)
      : server_(server), connection_(stream, server.loop_, server.limits_) {}

  // Until the connection ends. True: the node has lost sight of it, and it must be held open.
  net::Task<bool> run();

 private:
  // An answer that is ready at once.
  struct Reply {
    int status = 200;
    std::string type;
    std::string body{};
    std::string allow{};
    std::string location{};
  };

  net::Task<After> serve(wire::Incoming& request);
  net::Task<After> infer(wire::Incoming& request, api::Route route);
  net::Task<std::optional<std::string>> body_of(wire::Incoming& request);
  net::Task<After> reply(const wire::Incoming& request, Reply reply);
  net::Task<After> preflight(const wire::Incoming& request);
  net::Task<After> write(const wire::Incoming& request, HeadOptions options, std::string_view body);

  std::optional<Reply> unrouted(const wire::Incoming& request, const api::RouteMatch& match) const;
  Reply listing(const api::RouteMatch& match);
  Reply show(const std::string& body);
  Reply control(const wire::Incoming& request, const std::string& body);

  Server& server_;
  wire::ServerConnection connection_;
};

}  // namespace drover::sim
