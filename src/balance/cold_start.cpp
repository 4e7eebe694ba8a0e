#include "balance/cold_start.h"

#include <tuple>

namespace drover::balance {
namespace {

// The place with the least cost, if there is one.
template <typename Admit, typename Cost>
std::optional<std::size_t> cheapest(std::span<const Candidate> candidates, Admit admit, Cost cost) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!admit(candidates[i])) continue;
    if (!best || cost(candidates[i]) < cost(candidates[*best])) best = i;
  }
  return best;
}

}  // namespace

ColdChoice choose_when_cold(std::span<const Candidate> candidates, const ColdContext& context) {
  std::size_t slots = 0;  // of nodes that have the model or are loading it
  for (const Candidate& candidate : candidates) {
    if (candidate.readiness == Readiness::busy || candidate.readiness == Readiness::ready) slots += candidate.slots;
  }
  if (slots > context.waiting_before) return {};

  const auto cost = [&](const Candidate& candidate) {
    const bool behind = context.previous && candidate.node <= *context.previous;
    const double load = static_cast<double>(candidate.node_in_flight + 1) / candidate.weight;
    return std::tuple(candidate.resident, candidate.evicts, load, behind, candidate.node);
  };
  if (context.loads_running < context.parallel_loads) {
    const auto admits_load = [&](const Candidate& candidate) {
      return candidate.readiness == Readiness::cold && (slots == 0 || candidate.node_in_flight == 0);
    };
    if (const auto best = cheapest(candidates, admits_load, cost)) {
      return {.kind = ColdChoice::Kind::load, .candidate = *best};
    }
  }
  if (slots > 0) return {};
  const auto in_use = [](const Candidate& candidate) { return candidate.readiness == Readiness::occupied; };
  if (const auto best = cheapest(candidates, in_use, cost)) {
    return {.kind = ColdChoice::Kind::claim, .candidate = *best};
  }
  return {};
}

}  // namespace drover::balance
