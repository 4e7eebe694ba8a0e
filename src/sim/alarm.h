#pragma once
// One flow sleeps until an exact time, or until somebody of the same loop rings. Deadlines of other waits are coarse;
// the steps of an engine are not.

#include "net/loop.h"
#include "net/task.h"

namespace drover::sim {

class Alarm {
 public:
  void ring() {
    rung_ = true;
    if (sleeper_ != nullptr) sleeper_->wake();
  }

  // Gives false when the flow was cancelled. One sleeper at a time.
  class Sleep final : public net::Wait {
   public:
    Sleep(Alarm& alarm, Mono until) : Wait(kNever), alarm_(alarm), until_(until) {}
    bool await_resume() const { return woken_; }

   private:
    bool step(net::Flow& flow) override {
      woken_ = std::exchange(alarm_.rung_, false) || flow.loop().now() >= until_;
      return woken_;
    }
    void fail(ErrorCode) override { woken_ = false; }
    void attach(net::Flow& flow) override {
      alarm_.sleeper_ = &flow;
      if (until_ != kNever) ticket_ = flow.loop().sleeps().add(until_, flow);
    }
    void detach() override {
      if (until_ != kNever) alarm_.sleeper_->loop().sleeps().remove(ticket_);
      alarm_.sleeper_ = nullptr;
    }

    Alarm& alarm_;
    Mono until_;
    std::uint64_t ticket_ = 0;
    bool woken_ = false;
  };
  Sleep sleep(Mono until) { return {*this, until}; }

 private:
  net::Flow* sleeper_ = nullptr;
  bool rung_ = false;
};

}  // namespace drover::sim
