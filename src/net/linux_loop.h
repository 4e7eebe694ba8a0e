#pragma once
// The loop of a worker thread on Linux: edge-triggered epoll, one timerfd, one eventfd.
//
// A turn has three phases. First the poller marks what changed (flags, ready flows) for the whole batch of events; then
// user code runs; then what it wrote is sent. So no event can meet an object that user code has freed.

#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "net/outbox.h"

namespace drover::net {

class LinuxLoop final : public Loop {
 public:
  // Ends the process when the kernel refuses an epoll descriptor: nothing can work then.
  explicit LinuxLoop(const Clock& clock);
  ~LinuxLoop() override;

  // Runs until `stop`, which any thread may call.
  void run();
  void stop();

  void post(std::move_only_function<void()> work) override;

  Outbox& outbox() { return outbox_; }

  // Something with a descriptor. `on_events` only marks: it must not run user code or free anything.
  class Watched : public Outbox::Sender {
   public:
    virtual void on_events(std::uint32_t events) = 0;
    void send_now(std::string_view) override {}  // of those that put something off

   protected:
    ~Watched() = default;
  };
  // Registers once, for reading and writing, edge-triggered. Closing the descriptor takes it out.
  bool watch(int descriptor, Watched& watched);

 private:
  void poll();
  void arm_timer();
  void run_posted();

  int epoll_;
  int timer_;
  int wakeup_;
  Mono armed_ = kNever;  // when the timerfd fires
  bool rung_ = false;    // work was posted
  bool stopping_ = false;
  Outbox outbox_;
  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> posted_;  // guarded by mutex_
};

}  // namespace drover::net
