#pragma once
#include <cmath>
#include <cstdint>

#include "base/clock.h"

namespace drover::balance {

// What an old count is worth among new ones after some time: near to exp(-time / window), and cheaper.
inline double kept_after(Duration time, Duration window) { return seconds(window) / seconds(window + time); }

// How often something happened lately, roughly, at the cost of a division.
class FadingCount {
 public:
  explicit FadingCount(Duration window) : window_(window) {}

  void add(Mono now) {
    sum_ = 1 + value(now);
    at_ = now;
  }
  double value(Mono now) const { return sum_ * kept_after(now - at_, window_); }
  double a_second(Mono now) const { return value(now) / seconds(window_); }
  Mono last() const { return at_; }

 private:
  Duration window_;
  double sum_ = 0;  // as of at_
  Mono at_{};
};

// How often something happened lately: older events count less and less.
class FadingRate {
 public:
  explicit FadingRate(Duration window) : window_(window) {}

  void restart(Mono now) {
    sum_ = 0;
    count_ = 0;
    since_ = at_ = now;
  }
  void add(Mono now) {
    sum_ = 1 + sum_ * fade(now - at_);
    at_ = now;
    ++count_;
  }
  // Since the last restart().
  std::uint64_t count() const { return count_; }
  // `guess`: what was expected before, which counts as much as so many events; 0: nothing was.
  double a_second(Mono now, double guess = 0, double worth = 0) const {
    const double seen = 1 - fade(now - since_);  // of all that would count, the part that can have been seen by now
    const double guessed = guess > 0 ? worth : 0;
    const double time = seconds(window_) * seen + (guess > 0 ? worth / guess : 0);
    return time <= 0 ? 0 : (sum_ * fade(now - at_) + guessed) / time;
  }

 private:
  double fade(Duration time) const { return std::exp(-seconds(time) / seconds(window_)); }

  Duration window_;
  double sum_ = 0;  // as of at_
  std::uint64_t count_ = 0;
  Mono since_{};
  Mono at_{};
};

}  // namespace drover::balance
