#include "balance/least_loaded.h"

#include <utility>

namespace drover::balance {

Pick LeastLoaded::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  std::optional<std::size_t> best;
  std::pair<double, double> least;
  bool best_is_ahead = false;  // its id is above that of the last pick
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (candidate.readiness != Readiness::ready) continue;
    const std::pair load((candidate.in_flight + 1) / (candidate.slots * candidate.weight),
                         static_cast<double>(candidate.node_in_flight) / candidate.weight);
    const bool ahead = !context.previous || candidate.node > *context.previous;
    if (best && (load > least || (load == least && (best_is_ahead || !ahead)))) continue;
    best = i;
    least = load;
    best_is_ahead = ahead;
  }
  if (!best) return WaitFor{};
  return StartOn{*best};
}

}  // namespace drover::balance
