#include "balance/earliest_finish.h"

#include "balance/pick_least.h"

namespace drover::balance {

Pick EarliestFinish::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  const Pick ready = pick_least(candidates, context, [](const Candidate& candidate) { return candidate.cost; });
  const auto* start = std::get_if<StartOn>(&ready);
  if (start != nullptr && !context.may_wait) return ready;

  std::optional<std::size_t> later;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Readiness readiness = candidates[i].readiness;
    if (readiness != Readiness::busy && !(readiness == Readiness::cold && context.may_load)) continue;
    if (!later || candidates[i].cost < candidates[*later].cost) later = i;
  }
  const bool worth_it =
      later && (start == nullptr || candidates[*later].cost < kWorthWaiting * candidates[start->candidate].cost);
  if (worth_it) return WaitFor{.candidate = later};
  return ready;
}

}  // namespace drover::balance
