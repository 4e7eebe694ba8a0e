#include "balance/cold_start.h"

#include <tuple>

#include "balance/earliest_finish.h"

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

// It claims a runner that is in use with other options, if that is all there is.
template <typename Cost>
ColdChoice claim(std::span<const Candidate> candidates, Cost cost) {
  const auto in_use = [](const Candidate& candidate) { return candidate.readiness == Readiness::occupied; };
  const auto best = cheapest(candidates, in_use, cost);
  if (!best) return {};
  return {.kind = ColdChoice::Kind::claim, .candidate = *best};
}

}  // namespace

ColdChoice choose_by_estimate(std::span<const Candidate> candidates, const ColdContext& context) {
  const auto is_warm = [](const Candidate& candidate) {
    return candidate.readiness == Readiness::ready || candidate.readiness == Readiness::busy;
  };
  const auto is_cold = [](const Candidate& candidate) { return candidate.readiness == Readiness::cold; };
  const auto cost = [](const Candidate& candidate) { return candidate.cost; };
  const auto warm = cheapest(candidates, is_warm, cost);
  if (context.loads_running < context.parallel_loads) {
    const auto cold = cheapest(candidates, is_cold, cost);
    if (cold && (!warm || cost(candidates[*cold]) < EarliestFinish::kWorthWaiting * cost(candidates[*warm]))) {
      return {.kind = ColdChoice::Kind::load, .candidate = *cold};
    }
  }
  if (warm) return {.kind = ColdChoice::Kind::wait, .candidate = *warm};
  return claim(candidates, cost);
}

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
  return claim(candidates, cost);
}

}  // namespace drover::balance
