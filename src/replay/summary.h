#pragma once
// The usual figures of many times.

#include <limits>
#include <vector>

namespace drover::replay {

inline constexpr double kForever = std::numeric_limits<double>::infinity();

// Seconds. Infinity where the figure falls among the refused, who wait for ever; NaN where nothing was measured.
struct Summary {
  double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0;
};
// Of any order; used up.
Summary summarise(std::vector<double>& times);

}  // namespace drover::replay
