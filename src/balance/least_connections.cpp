#include "balance/least_connections.h"

#include "balance/pick_least.h"

namespace drover::balance {

Pick LeastConnections::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  return pick_least(candidates, context, [](const Candidate& candidate) {
    return static_cast<double>(candidate.node_in_flight + 1) / candidate.weight;
  });
}

}  // namespace drover::balance
