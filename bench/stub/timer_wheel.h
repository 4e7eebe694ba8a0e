#pragma once
// When the next chunk of each stream is due: a wheel of ticks, so that thousands of streams cost O(1) a chunk.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace drover::bench {

// A thing that is due at a tick; it takes itself off the wheel when it ends.
class Due {
 public:
  Due() = default;
  Due(const Due&) = delete;
  Due& operator=(const Due&) = delete;
  ~Due() { unlink(); }
  void unlink() {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }
  bool linked() const { return next_ != nullptr; }

 private:
  friend class TimerWheel;
  void insert_before(Due& other) {
    next_ = &other;
    previous_ = other.previous_;
    previous_->next_ = this;
    other.previous_ = this;
  }
  Due* next_ = nullptr;
  Due* previous_ = nullptr;
  std::int64_t tick_ = 0;
};

class TimerWheel {
 public:
  TimerWheel() : slots_(kSlots) {
    for (Due& slot : slots_) slot.next_ = slot.previous_ = &slot;
  }
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // A tick that is over already counts as the next one.
  void schedule(Due& due, std::int64_t tick) {
    due.unlink();
    due.tick_ = tick > done_ ? tick : done_ + 1;
    due.insert_before(slot(due.tick_));
  }

  // Calls `act(due)` for all that is due up to `now`, tick by tick; `act` may schedule and unlink at will.
  template <typename Act>
  void advance(std::int64_t now, Act act) {
    if (now - done_ > kSlots) done_ = now - kSlots;
    while (done_ < now) {
      ++done_;
      Due later;  // the slot's, but of a later turn of the wheel
      later.next_ = later.previous_ = &later;
      Due& today = slot(done_);
      while (today.next_ != &today) {
        Due& due = *today.next_;
        due.unlink();
        if (due.tick_ > done_) {
          due.insert_before(later);
        } else {
          act(due);
        }
      }
      while (later.next_ != &later) {
        Due& due = *later.next_;
        due.unlink();
        due.insert_before(today);
      }
    }
  }

 private:
  static constexpr std::int64_t kSlots = 4096;
  Due& slot(std::int64_t tick) { return slots_[static_cast<std::size_t>(tick % kSlots)]; }

  std::vector<Due> slots_;
  std::int64_t done_ = 0;
};

}  // namespace drover::bench
