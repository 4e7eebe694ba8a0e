#pragma once
// Several simulated nodes in one process, each on a listener of its own.

#include <memory>
#include <vector>

#include "sim/server.h"

namespace drover::sim {

// Thread: the network's loop. stop() must have ended before it dies.
class Fleet {
 public:
  // Node i listens on `first`'s port + i, or all on ports of the system's choice where that is 0. Errors: config
  // (validate), system (a port is taken).
  static Result<std::unique_ptr<Fleet>> make(net::Network& network, const Settings& settings, net::Endpoint first);

  void start();
  net::Task<> stop();
  const std::vector<std::unique_ptr<Server>>& nodes() const { return nodes_; }

 private:
  std::vector<std::unique_ptr<Server>> nodes_;
};

}  // namespace drover::sim
