#pragma once
#include "balance/policy.h"

namespace drover::balance {

// Of the candidates that are ready the one for which `load` is least. Ties go round: the first node behind the one that
// was picked last.
template <typename Load>
Pick pick_least(std::span<const Candidate> candidates, const PickContext& context, Load load) {
  std::optional<std::size_t> best;
  decltype(load(candidates.front())) least{};
  bool best_is_ahead = false;  // its id is above that of the last pick
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (candidate.readiness != Readiness::ready) continue;
    const auto its_load = load(candidate);
    const bool ahead = !context.previous || candidate.node > *context.previous;
    if (best && (its_load > least || (its_load == least && (best_is_ahead || !ahead)))) continue;
    best = i;
    least = its_load;
    best_is_ahead = ahead;
  }
  if (!best) return WaitFor{};
  return StartOn{*best};
}

}  // namespace drover::balance
