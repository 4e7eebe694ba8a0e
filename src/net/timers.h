#pragma once
// Deadlines and sleeps of one loop.
//
// Deadlines are many and rarely reached: a coarse wheel (Varghese and Lauck, Hashed and Hierarchical Timing Wheels,
// 1987) whose slots are 16.8 ms wide. It is lazy: a later deadline is one store in the flow, and the flow moves on when
// its slot comes round. A deadline is noticed one to two slots late, never early. Sleeps are few and exact: a heap.

#include <array>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "net/flow.h"

namespace drover::net {

class TimerWheel {
 public:
  explicit TimerWheel(Mono now) : current_(slot_number(now)) {}

  // The flow's present wait has a deadline.
  void watch(Flow& flow);

  // Wakes, as expired, each flow whose deadline has passed.
  void expire(Mono now);

  // When `expire` has something to look at again; kNever when no flow is watched.
  Mono next() const;

 private:
  static constexpr int kShift = 24;  // 2^24 ns = 16.8 ms
  static constexpr std::size_t kSlots = 1024;
  static std::int64_t slot_number(Mono time) { return time.time_since_epoch().count() >> kShift; }

  IntrusiveList<Flow, &Flow::timer_link>& slot(std::int64_t number) {
    return slots_[static_cast<std::size_t>(number) % kSlots];
  }

  std::array<IntrusiveList<Flow, &Flow::timer_link>, kSlots> slots_;
  std::int64_t current_;       // slots up to here have been looked at
  std::int64_t earliest_ = 0;  // no watched flow lies in a slot before this one
  bool any_ = false;           // false: no slot holds a flow
};

// Exact wake-ups, ordered by time and then by order of asking.
class SleepQueue {
 public:
  struct Entry {
    Mono when;
    std::uint64_t sequence;
    Flow* flow;  // null: taken back
  };
  // Returns a ticket to take the entry back with.
  std::uint64_t add(Mono when, Flow& flow);
  void remove(std::uint64_t ticket);
  // Wakes all that are due.
  void wake_due(Mono now);
  Mono next() const { return heap_.empty() ? kNever : heap_.front().when; }

 private:
  std::vector<Entry> heap_;
  std::uint64_t sequence_ = 0;
};

// co_await sleep_until(time): ends at that time. False when the flow was cancelled first.
class sleep_until final : public Wait {
 public:
  explicit sleep_until(Mono when) : Wait(kNever), when_(when) {}
  bool await_resume() const { return slept_; }

 private:
  bool step(Flow& flow) override;
  void fail(ErrorCode) override { slept_ = false; }
  void attach(Flow& flow) override;
  void detach() override;

  Mono when_;
  Flow* flow_ = nullptr;
  std::uint64_t ticket_ = 0;
  bool slept_ = false;
};

}  // namespace drover::net
