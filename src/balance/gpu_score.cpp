#include "balance/gpu_score.h"

#include <algorithm>
#include <utility>

#include "balance/pick_least.h"

namespace drover::balance {

Pick GpuScore::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  return pick_least(candidates, context, [&](const Candidate& candidate) {
    const double own = std::min(1.0, static_cast<double>(candidate.node_in_flight) / candidate.slots);
    const GpuLoad load = candidate.gpu.value_or(GpuLoad{.busy = own, .memory = own});
    const double free = context.gpu_share * (1 - load.busy) + (1 - context.gpu_share) * (1 - load.memory);
    return std::pair(-free * candidate.weight, static_cast<double>(candidate.node_in_flight + 1) / candidate.weight);
  });
}

}  // namespace drover::balance
