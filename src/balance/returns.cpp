#include "balance/returns.h"

#include <algorithm>
#include <cmath>

namespace drover::balance {

// As a number with a fraction: 2.5 lies in the middle of the third.
double Returns::step_of(Duration pause) {
  const double times = seconds(pause) / kFirst;
  const double step = times < 1 ? std::max(0.0, times) : 1 + std::log2(times);
  return std::min(step, static_cast<double>(kSteps) - 1e-3);
}

void Returns::asked() {
  weight_ *= kGrowth;
  asked_ += weight_;
  if (weight_ < kMost) return;
  asked_ /= weight_;
  for (double& came : came_) came /= weight_;
  weight_ = 1;
}

void Returns::came_back(Duration pause) { came_[static_cast<std::size_t>(step_of(pause))] += weight_; }

double Returns::likely(Duration idle) const {
  const double at = step_of(idle);
  const auto step = static_cast<std::size_t>(at);
  double later = came_[step] * (1 - (at - static_cast<double>(step)));
  double earlier = came_[step] - later;
  for (std::size_t i = 0; i < kSteps; ++i) {
    if (i < step) earlier += came_[i];
    if (i > step) later += came_[i];
  }
  const double left = asked_ - earlier;  // had not come back by then
  return left <= 0 ? 0 : std::min(1.0, later / left);
}

}  // namespace drover::balance
