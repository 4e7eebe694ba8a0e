#include "balance/random_node.h"

namespace drover::balance {

// One pass over a list of unknown length: each takes the place of the one before with the chance of its weight in the
// sum so far (J. Vitter: Random sampling with a reservoir, 1985).
Pick RandomNode::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  std::optional<std::size_t> drawn;
  double sum = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].readiness != Readiness::ready) continue;
    sum += candidates[i].weight;
    if (context.random.uniform() * sum < candidates[i].weight) drawn = i;
  }
  if (!drawn) return WaitFor{};
  return StartOn{*drawn};
}

}  // namespace drover::balance
