#pragma once
// The loop of one thread: who is ready to run, who sleeps, what time it is. Linux (linux_loop.h) and the simulated
// world (sim_world.h) drive it; flows cannot tell which.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/flow.h"
#include "net/timers.h"

namespace drover::net {

class Loop {
 public:
  explicit Loop(const Clock& clock) : clock_(clock), now_(clock.mono()), timers_(now_), buffer_(kBufferSize) {}
  virtual ~Loop() = default;

  // Read once a wake-up: all that happens in one turn happens at one time.
  Mono now() const { return now_; }
  Wall wall() const { return clock_.wall(); }
  const Clock& clock() const { return clock_; }

  // Runs `work` on this loop's thread, soon. Any thread may call it; calls from one thread keep their order.
  virtual void post(std::move_only_function<void()> work) = 0;

  // One read buffer for all streams of the loop. What a read put there dies at the next suspension.
  std::span<char> buffer() { return buffer_; }

  // A string with memory that was used before, empty: for a head that is built or kept for the time of a request. Who
  // does not give it back loses nothing but that. What was given back is empty and holds no memory.
  std::string take_string();
  void give_back(std::string& text);

  TimerWheel& timers() { return timers_; }
  SleepQueue& sleeps() { return sleeps_; }
  void make_ready(Flow& flow) { ready_.push_back(flow); }
  // Behind the flow that runs there are others that are to run in this turn.
  bool others_follow() const { return !batch_.empty(); }

 protected:
  void read_clock() { now_ = clock_.mono(); }
  // Wakes whose time has come, then runs the flows that are ready now; those that they make ready run on the next turn.
  void turn();
  bool anyone_ready() const { return !ready_.empty(); }
  Mono next_timer() const { return std::min(sleeps_.next(), timers_.next()); }

 private:
  static constexpr std::size_t kBufferSize = 64 * 1024;
  static constexpr std::size_t kKeptStrings = 64, kKeptCapacity = 4 * 1024;

  const Clock& clock_;
  Mono now_;
  TimerWheel timers_;
  SleepQueue sleeps_;
  IntrusiveList<Flow, &Flow::ready_link> ready_;
  IntrusiveList<Flow, &Flow::ready_link> batch_;  // of this turn those that have not run yet
  std::vector<char> buffer_;
  std::vector<std::string> strings_;
};

}  // namespace drover::net
