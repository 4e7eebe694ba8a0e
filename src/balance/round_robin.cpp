#include "balance/round_robin.h"

namespace drover::balance {

Pick RoundRobin::pick(std::span<const Candidate> candidates, const PickContext&) const {
  std::optional<std::size_t> best;
  double sum = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (candidate.readiness != Readiness::ready) continue;
    *candidate.turn += candidate.weight;
    sum += candidate.weight;
    if (!best || *candidate.turn > *candidates[*best].turn) best = i;
  }
  if (!best) return WaitFor{};
  *candidates[*best].turn -= sum;
  return StartOn{*best};
}

}  // namespace drover::balance
