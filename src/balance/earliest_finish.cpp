#include "balance/earliest_finish.h"

#include "balance/pick_least.h"

namespace drover::balance {

Pick EarliestFinish::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  const Pick ready = pick_least(candidates, context, [](const Candidate& candidate) { return candidate.cost; });
  const auto* start = std::get_if<StartOn>(&ready);
  if (start != nullptr && !context.may_wait) return ready;

  const Candidate* later = nullptr;
  for (const Candidate& candidate : candidates) {
    if (candidate.readiness == Readiness::ready) continue;
    const bool loads = candidate.readiness == Readiness::cold && context.may_load;
    if (candidate.readiness != Readiness::busy && !loads) continue;
    if (later == nullptr || candidate.cost < later->cost) later = &candidate;
  }
  if (later == nullptr) return ready;
  const bool worth_it = start == nullptr || later->cost < kWorthWaiting * candidates[start->candidate].cost;
  if (worth_it) return WaitFor{.candidate = static_cast<std::size_t>(later - candidates.data())};
  return ready;
}

}  // namespace drover::balance
