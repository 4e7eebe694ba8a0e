#pragma once
// The connections of one worker to the nodes, kept open between requests.

#include <deque>
#include <map>
#include <memory>

#include "base/ids.h"
#include "net/network.h"
#include "net/soon.h"
#include "observe/metrics.h"

namespace drover::gateway {

// A pooled stream has no flow: whether it went stale is seen when it is taken. Thread: the worker's.
class UpstreamPool {
 public:
  UpstreamPool(net::Network& network, observe::MetricShard& metrics, Duration idle, std::size_t kept)
      : network_(network), metrics_(metrics), idle_(idle), kept_(kept) {}

  struct Taken {
    std::unique_ptr<net::Stream> stream;
    bool reused;  // it carried an answer before: a close without a byte says nothing about the node's health
  };
  // A pooled stream if there is a silent one and `fresh` is false, else a new one. Errors: those of Network::dial.
  net::Soon<net::IoResult<Taken>> take(NodeId node, net::Endpoint endpoint, Mono deadline, bool fresh);

  // The stream carried a whole answer and the node keeps it open.
  void give_back(NodeId node, net::Endpoint endpoint, std::unique_ptr<net::Stream> stream);

  // Closes what nobody used for `idle`. Bounded by what is pooled.
  void sweep();
  // Closes the streams of nodes for which `wanted(id)` is false.
  template <typename Wanted>
  void keep(Wanted wanted) {
    std::erase_if(pools_, [&](const auto& entry) { return !wanted(entry.first); });
  }

 private:
  struct Pooled {
    std::unique_ptr<net::Stream> stream;
    net::Endpoint endpoint;
    Mono since;
  };

  net::Task<net::IoResult<Taken>> dial(net::Endpoint endpoint, Mono deadline);
  // Its node closed it, or sent what nobody asked for: either way it is of no use.
  bool is_stale(const net::Stream& stream);

  net::Network& network_;
  observe::MetricShard& metrics_;
  Duration idle_;
  std::size_t kept_;                            // per node; more were only needed in a burst
  std::map<NodeId, std::deque<Pooled>> pools_;  // newest at the back
};

}  // namespace drover::gateway
