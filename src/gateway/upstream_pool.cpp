#include "gateway/upstream_pool.h"

#include "net/loop.h"

namespace drover::gateway {

net::Soon<net::IoResult<UpstreamPool::Taken>> UpstreamPool::take(NodeId node, net::Endpoint endpoint, Mono deadline,
                                                                 bool fresh) {
  auto& pool = pools_[node];
  while (!fresh && !pool.empty()) {
    // The newest first: it is the least likely to have gone stale, and the rest can age out.
    Pooled pooled = std::move(pool.back());
    pool.pop_back();
    if (pooled.endpoint != endpoint || is_stale(*pooled.stream)) continue;
    return Taken{std::move(pooled.stream), true};
  }
  return dial(endpoint, deadline);
}

net::Task<net::IoResult<UpstreamPool::Taken>> UpstreamPool::dial(net::Endpoint endpoint, Mono deadline) {
  auto dialled = co_await network_.dial(endpoint, deadline);
  if (!dialled) co_return std::unexpected(dialled.error());
  co_return Taken{std::move(*dialled), false};
}

void UpstreamPool::give_back(NodeId node, net::Endpoint endpoint, std::unique_ptr<net::Stream> stream) {
  if (kept_ == 0) return;
  auto& pool = pools_[node];
  if (pool.size() >= kept_) pool.pop_front();
  pool.push_back({std::move(stream), endpoint, network_.loop().now()});
}

bool UpstreamPool::is_stale(const net::Stream& stream) {
  if (!stream.has_input()) return false;
  if (stream.hung_up()) {
    metrics_.closed_idle.add();
  } else {
    metrics_.count(observe::Anomaly::unsolicited);
  }
  return true;
}

void UpstreamPool::sweep() {
  const Mono now = network_.loop().now();
  for (auto& [node, pool] : pools_) {
    while (!pool.empty() && (pool.front().since + idle_ <= now || is_stale(*pool.front().stream))) pool.pop_front();
  }
}

}  // namespace drover::gateway
