#pragma once
#include "balance/policy.h"

namespace drover::balance {

// Of the candidates that are ready the one for which `load` is least. Ties go round: the first node behind the one that
// was picked last.
template <typename Load>
Pick pick_least(std::span<const Candidate> candidates, const PickContext& context, Load load) {
  const Candidate* best = nullptr;
  decltype(load(candidates.front())) least{};
  bool best_is_ahead = false;  // its id is above that of the last pick
  for (const Candidate& candidate : candidates) {
    if (candidate.readiness != Readiness::ready) continue;
    const auto its_load = load(candidate);
    if (best != nullptr && its_load > least) continue;
    const bool ahead = !context.previous || candidate.node > *context.previous;
    if (best != nullptr && its_load == least && (best_is_ahead || !ahead)) continue;
    best = &candidate;
    least = its_load;
    best_is_ahead = ahead;
  }
  if (best == nullptr) return WaitFor{};
  return StartOn{static_cast<std::size_t>(best - candidates.data())};
}

}  // namespace drover::balance
