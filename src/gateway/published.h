#pragma once
// What the control loop publishes to every worker: one immutable value, replaced whole.

#include <memory>
#include <string>
#include <vector>

#include "balance/health.h"
#include "balance/route.h"
#include "fleet/fleet_view.h"
#include "gateway/settings.h"
#include "guard/host.h"
#include "guard/origin.h"
#include "net/endpoint.h"
#include "net/signal.h"

namespace drover::gateway {

// How a worker reaches a node.
struct NodeAddress {
  NodeId id;
  std::string name;
  std::string host;    // for the Host field: the node's own, since a loopback node refuses others
  std::string prefix;  // put before every path; usually empty
  net::Endpoint endpoint;
  Mono unreachable_since = Mono::min();  // its probes fail; kNever: it answered the last one
  balance::Health health = balance::Health::offline;

  bool reachable() const { return unreachable_since == kNever; }
};

struct Published {
  GatewaySettings settings;
  guard::HostRules hosts;
  guard::OriginRules origins;
  std::shared_ptr<const fleet::FleetView> fleet;
  std::shared_ptr<const balance::Routes> routes;
  unsigned attempts = 3;           // of one request on nodes, the first included
  std::vector<NodeAddress> nodes;  // in the order of ids

  const NodeAddress* node(NodeId id) const {
    for (const NodeAddress& node : nodes) {
      if (node.id == id) return &node;
    }
    return nullptr;
  }
};

// What a worker may ask of the control loop. Any thread.
class ControlLink {
 public:
  // Asks every node anew what it holds, at most once a second however many ask; `done` is notified on `from` when the
  // answer has been published there.
  virtual void refresh(net::Loop& from, std::shared_ptr<net::Signal> done) = 0;
  // What is known of this node has shown itself out of date: ask it soon.
  virtual void look_again(NodeId node) = 0;

 protected:
  ~ControlLink() = default;
};

}  // namespace drover::gateway
