#pragma once
// Simulated nodes on real sockets, on a thread of their own: their work must not slow the gateway that they try out.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/linux_network.h"
#include "sim/fleet.h"

namespace drover::cli {

// Made, started and destroyed by one thread; destruction ends the nodes.
class SimHost {
 public:
  SimHost();
  ~SimHost();

  // One node on `first`, the others on the ports behind it; all on ports of the kernel's choice if its port is 0.
  // Errors: system.
  Result<void> start(const sim::Settings& settings, const net::Endpoint& first);

  struct Node {
    std::string name;
    std::string card;
    std::size_t models;
    unsigned slots;
    net::Endpoint endpoint;
  };
  const std::vector<Node>& nodes() const { return nodes_; }

 private:
  net::Task<> stop();

  SystemClock clock_;
  net::LinuxLoop loop_;
  net::LinuxNetwork network_;
  std::unique_ptr<sim::Fleet> fleet_;
  std::vector<Node> nodes_;
  net::TaskGroup ending_;
  std::thread thread_;
};

}  // namespace drover::cli
