#include "load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace drover::load {
namespace {

// Times below 256 ns have a bucket each; above, each power of two has 128 of them.
constexpr int kExactBits = 8;
constexpr std::uint64_t kExact = 1U << kExactBits;
constexpr std::uint64_t kHalf = kExact / 2;
constexpr std::size_t kBuckets = kExact + (63 - kExactBits) * kHalf;

std::size_t bucket_of(std::uint64_t time) {
  if (time < kExact) return time;
  const auto shift = static_cast<std::uint64_t>(std::bit_width(time) - kExactBits);
  return kExact + (shift - 1) * kHalf + ((time >> shift) - kHalf);
}

// The longest time of that bucket.
std::uint64_t end_of(std::size_t bucket) {
  if (bucket < kExact) return bucket;
  const std::uint64_t shift = (bucket - kExact) / kHalf + 1;
  const std::uint64_t top = (bucket - kExact) % kHalf + kHalf;
  return ((top + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::add(Duration time) {
  time = std::max(time, Duration{});
  ++buckets_[bucket_of(static_cast<std::uint64_t>(time.count()))];
  ++count_;
  max_ = std::max(max_, time);
  sum_ += static_cast<double>(time.count());
}

Duration Histogram::quantile(double part) const {
  if (count_ == 0) return {};
  const auto rank = static_cast<std::uint64_t>(std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= std::max<std::uint64_t>(rank, 1)) {
      return std::min(max_, Duration(static_cast<std::int64_t>(end_of(bucket))));
    }
  }
  return max_;
}

Duration Histogram::mean() const {
  return count_ == 0 ? Duration{} : Duration(std::llround(sum_ / static_cast<double>(count_)));
}

}  // namespace drover::load
