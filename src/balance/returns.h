#pragma once
// Whether conversations go on, and how soon: the pauses from one prompt to the next that continues it. So it is known
// how long what a cache remembers is worth keeping. A tool answers within seconds, a person within minutes, and what
// has not come back for much longer than most will hardly come.

#include <array>
#include <cstddef>

#include "base/clock.h"

namespace drover::balance {

class Returns {
 public:
  // A prompt came.
  void asked();
  // It continues another one, which came so long before.
  void came_back(Duration pause);
  // How likely is it that a prompt that nobody has continued for so long will still be continued? The part of all that
  // had not come back by then which did later (the survival function of pauses). 0 as long as nothing is known.
  double likely(Duration idle) const;

 private:
  static constexpr std::size_t kSteps = 16;  // of twice as long a pause each
  static constexpr double kFirst = 0.25;     // seconds: the first ends there, and the last is open
  static constexpr double kGrowth = 1.001;   // each prompt counts for more than the one before: a thousand count
  static constexpr double kMost = 1e100;

  static double step_of(Duration pause);

  double weight_ = 1;
  double asked_ = 0;
  std::array<double, kSteps> came_{};
};

}  // namespace drover::balance
