#include "replay/summary.h"

#include <algorithm>
#include <cmath>

namespace drover::replay {

Summary summarise(std::vector<double>& times) {
  if (times.empty()) {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    return {kNone, kNone, kNone, kNone, kNone};
  }
  std::ranges::sort(times);
  // The least value that the part does not exceed.
  const auto quantile = [&](double part) {
    const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(times.size())));
    return times[std::max<std::size_t>(rank, 1) - 1];
  };
  double sum = 0;
  for (const double time : times) sum += time;
  return {sum / static_cast<double>(times.size()), quantile(0.5), quantile(0.9), quantile(0.95), quantile(0.99)};
}

}  // namespace drover::replay
