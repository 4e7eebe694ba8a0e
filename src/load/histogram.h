#pragma once
// Times with a bounded relative error in fixed memory: buckets that are 1/128 as wide as what they hold, as
// HdrHistogram has them (Tene, 2012; its C library is no Debian package).

#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace drover::load {

// Thread: one. Cost: O(1) a time, O(buckets) a quantile. Memory: 57 KiB.
class Histogram {
 public:
  static constexpr double kError = 1.0 / 128;  // a quantile is at most so much above the exact one, never below

  Histogram();
  void add(Duration time);  // negative ones count as zero

  std::uint64_t count() const { return count_; }
  // The time that this part (0 to 1) of all times does not exceed. Zero if there are none.
  Duration quantile(double part) const;
  Duration max() const { return max_; }
  Duration mean() const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  Duration max_{};
  double sum_ = 0;  // ns
};

}  // namespace drover::load
