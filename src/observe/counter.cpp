#include "observe/counter.h"

#include <algorithm>

#include "base/check.h"

namespace drover::observe {

Histogram::Histogram(std::span<const Duration> bounds) : bounds_(bounds) { CHECK(bounds.size() <= kMaxBuckets); }

void Histogram::observe(Duration duration) {
  const Duration seen = std::max(duration, Duration::zero());
  std::size_t bucket = 0;
  while (bucket < bounds_.size() && seen > bounds_[bucket]) ++bucket;
  counts_[bucket].add();
  sum_ns_.add(static_cast<std::uint64_t>(seen.count()));
}

}  // namespace drover::observe
