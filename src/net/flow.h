#pragma once
// A flow is a chain of tasks that await one another: the life of one connection, one probe, one simulated client. It
// waits for one thing at a time, so what it waits for, its deadline and whether it was cancelled are kept here, once,
// and no wait allocates. A flow belongs to its loop and is touched by that loop's thread only.

#include <coroutine>
#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "net/intrusive_list.h"

namespace drover::net {

class Flow;
class Loop;
class TaskGroup;

// What a flow waits for: an awaiter, living in the frame of the task that awaits it. Ends when `step` says so, when its
// deadline passes, or when its flow is cancelled; data that is there wins over a deadline that has passed.
class Wait {
 public:
  explicit Wait(Mono deadline) : deadline_(deadline) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) {
    return suspend(*task.promise().flow, task);
  }

 protected:
  ~Wait() = default;

  // Tries to end the wait without blocking; true when it has ended and the result is set.
  virtual bool step(Flow& flow) = 0;
  // The wait ends without what it waited for: `timed_out` or `cancelled`.
  virtual void fail(ErrorCode why) = 0;
  // Asks for `flow.wake()` when another step may succeed; and takes that back.
  virtual void attach(Flow& flow) = 0;
  virtual void detach() = 0;

 private:
  friend class Flow;
  bool suspend(Flow& flow, std::coroutine_handle<> task);

  Mono deadline_;
};

class Flow {
 public:
  explicit Flow(Loop& loop) : loop_(loop) {}
  ~Flow();

  Loop& loop() { return loop_; }

  // Sticky: the present wait and every later one end with `cancelled`; frames unwind by themselves.
  void cancel();
  bool cancelled() const { return cancelled_; }

  // Something happened that may end the present wait. Ignored while the flow runs: a wait tries before it sleeps.
  void wake();

 private:
  friend class Loop;
  friend class TaskGroup;
  friend class TimerWheel;
  friend class Wait;

  void run();  // called by the loop for a flow that was woken or is new
  // It runs next: of thousands that wait, what this one works with has long left the caches.
  void prefetch() const {
    constexpr std::size_t kLine = 64, kLines = 8;
    for (std::size_t i = 0; i < kLines; ++i) __builtin_prefetch(static_cast<char*>(task_.address()) + i * kLine);
  }

  Loop& loop_;
  std::coroutine_handle<> task_;  // to resume: the waiting task, or the first one before the start
  Wait* wait_ = nullptr;
  Mono deadline_ = kNever;  // of the present wait
  bool cancelled_ = false;
  bool expired_ = false;  // the deadline passed; the next run ends the wait unless its step succeeds

 public:  // links of the lists a flow can be in, one each; nobody else's business
  ListLink ready_link;
  ListLink timer_link;
  std::int64_t timer_slot = 0;  // where timer_link lies
  ListLink group_link;
};

}  // namespace drover::net
