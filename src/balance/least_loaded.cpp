#include "balance/least_loaded.h"

#include <utility>

#include "balance/pick_least.h"

namespace drover::balance {

Pick LeastLoaded::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  return pick_least(candidates, context, [](const Candidate& candidate) {
    return std::pair((candidate.in_flight + 1) / (candidate.slots * candidate.weight),
                     static_cast<double>(candidate.node_in_flight) / candidate.weight);
  });
}

}  // namespace drover::balance
