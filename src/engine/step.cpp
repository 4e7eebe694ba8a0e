#include "engine/step.h"

#include <algorithm>
#include <cmath>

namespace drover::engine {
namespace {

Cost attention_cost(const StepCosts& costs, std::uint32_t rows, std::uint64_t context, bool alone) {
  if (rows == 1) {
    const std::uint64_t all = context + 1;
    const std::uint64_t near = alone ? std::min<std::uint64_t>(all, kSplit) : 0;
    return costs.pair_alone * static_cast<double>(near) + costs.pair_one * static_cast<double>(all - near);
  }
  const double pairs = static_cast<double>(rows) * (static_cast<double>(context) + (rows + 1.0) / 2);
  return (rows < kTile ? costs.pair_few : costs.pair_tiled) * pairs;
}

// Takes the next pass out of `rows`: from the first sequence that has any left, those whose numbers follow one another.
Cost take_adjacent(const StepCosts& costs, std::uint32_t most, std::span<StepRows> rows) {
  std::uint32_t sequences = 0;
  std::uint32_t equal = most;
  std::uint32_t last = 0;
  const auto follows = [&](const StepRows& each) {
    return each.rows > 0 && (sequences == 0 || each.slot == last + 1) && sequences < most;
  };
  for (const StepRows& each : rows) {
    if (!follows(each)) continue;
    ++sequences;
    last = each.slot;
    equal = std::min(equal, each.rows);
  }
  equal = std::max(1U, std::min(equal, most / std::max(sequences, 1U)));
  Cost cost = weights_cost(costs, equal * sequences);
  const bool alone = sequences == 1;
  sequences = 0;
  for (StepRows& each : rows) {
    if (!follows(each)) continue;
    ++sequences;
    last = each.slot;
    cost += attention_cost(costs, equal, each.context, alone);
    each.rows -= equal;
    each.context += equal;
  }
  return cost;
}

}  // namespace

Cost weights_cost(const StepCosts& costs, std::uint32_t rows) {
  if (rows == 0) return Cost{};
  if (rows <= costs.few_rows.size()) return costs.few_rows[rows - 1];
  const Cost arithmetic = costs.many_rows + costs.row * static_cast<double>(rows);
  return costs.few_rows.empty() ? arithmetic : std::max(costs.few_rows.back(), arithmetic);
}

Cost step_cost(const StepCosts& costs, Passes passes, std::uint32_t most, std::span<StepRows> rows) {
  Cost cost{};
  switch (passes) {
    case Passes::adjacent:
      while (std::ranges::any_of(rows, [](const StepRows& each) { return each.rows > 0; })) {
        cost += take_adjacent(costs, most, rows);
      }
      break;
    case Passes::joint: {
      std::uint32_t all = 0;
      for (const StepRows& each : rows) {
        all += each.rows;
        cost += attention_cost(costs, each.rows, each.context, rows.size() == 1);
      }
      cost += weights_cost(costs, all);
      break;
    }
  }
  return cost;
}

Duration to_duration(Cost cost) { return Duration{std::llround(cost.count() * 1e6)}; }

}  // namespace drover::engine
