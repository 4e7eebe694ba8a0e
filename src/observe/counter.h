#pragma once
// Numbers that one thread counts and others read. Plain loads and stores: a counter costs what a variable costs, and
// ThreadSanitizer and readers are content.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.h"

namespace drover::observe {

// Thread: add and set by one, value by any. A reader may see an older value, never a torn one.
class Counter {
 public:
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - count, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

inline constexpr std::size_t kMaxBuckets = 24;

// Durations sorted into buckets. `bounds`: upper bounds, inclusive, rising, at most kMaxBuckets, static. Thread: as
// Counter. Cost: a few comparisons.
class Histogram {
 public:
  explicit Histogram(std::span<const Duration> bounds);

  void observe(Duration duration);

  std::span<const Duration> bounds() const { return bounds_; }
  // Of the bucket alone, not of all below it; `bounds().size()` is the one without a bound.
  std::uint64_t count(std::size_t bucket) const { return counts_[bucket].value(); }
  std::uint64_t sum_ns() const { return sum_ns_.value(); }

 private:
  std::span<const Duration> bounds_;
  std::array<Counter, kMaxBuckets + 1> counts_;
  Counter sum_ns_;
};

}  // namespace drover::observe
