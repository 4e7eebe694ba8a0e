#include "balance/two_choices.h"

namespace drover::balance {

Pick TwoChoices::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  std::size_t ready = 0;
  for (const Candidate& candidate : candidates) ready += candidate.readiness == Readiness::ready ? 1 : 0;
  if (ready == 0) return WaitFor{};

  // Two different ones, by their places among those that are ready.
  const std::size_t first = context.random.below(ready);
  std::size_t second = ready == 1 ? first : context.random.below(ready - 1);
  if (ready > 1 && second >= first) ++second;
  std::optional<std::size_t> best;
  double least = 0;
  std::size_t place = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].readiness != Readiness::ready) continue;
    const bool drawn = place == first || place == second;
    ++place;
    if (!drawn) continue;
    const double load = static_cast<double>(candidates[i].node_in_flight + 1) / candidates[i].weight;
    if (best && load >= least) continue;
    best = i;
    least = load;
  }
  return StartOn{*best};
}

}  // namespace drover::balance
