#pragma once
// One bound for all memory that peers can make us hold: request bodies and answers that clients do not take.

#include <atomic>
#include <cstdint>

#include "base/units.h"

namespace drover::gateway {

// Shared by all workers. Cost: one relaxed atomic add per change.
class BufferBudget {
 public:
  explicit BufferBudget(Bytes limit) : limit_(limit.value) {}
  BufferBudget(const BufferBudget&) = delete;

  Bytes used() const { return Bytes{used_.load(std::memory_order_relaxed)}; }
  void set_limit(Bytes limit) { limit_.store(limit.value, std::memory_order_relaxed); }

 private:
  friend class BufferLease;
  bool take(std::uint64_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_.load(std::memory_order_relaxed))
      return true;
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  void give_back(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint64_t> used_{0};
};

// What one request holds of the budget; given back when it dies. Must not outlive the budget.
class BufferLease {
 public:
  explicit BufferLease(BufferBudget& budget) : budget_(budget) {}
  BufferLease(const BufferLease&) = delete;
  BufferLease& operator=(const BufferLease&) = delete;
  ~BufferLease() { budget_.give_back(held_); }

  // Holds `bytes` from now on. False when the budget has no room for more; then nothing changes. Less always succeeds.
  bool resize(std::uint64_t bytes) {
    if (bytes > held_) {
      if (!budget_.take(bytes - held_)) return false;
    } else {
      budget_.give_back(held_ - bytes);
    }
    held_ = bytes;
    return true;
  }

 private:
  BufferBudget& budget_;
  std::uint64_t held_ = 0;
};

}  // namespace drover::gateway
