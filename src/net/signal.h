#pragma once
// One flow waits until somebody of the same loop says go.

#include <expected>

#include "net/flow.h"

namespace drover::net {

// Sticky: a notification before the wait counts. One waiter at a time. Thread: the loop's.
class Signal {
 public:
  Signal() = default;
  Signal(const Signal&) = delete;

  void notify() {
    notified_ = true;
    if (waiter_ != nullptr) waiter_->wake();
  }
  bool notified() const { return notified_; }
  void reset() { notified_ = false; }

  // Errors: timed_out, cancelled.
  class Notified final : public Wait {
   public:
    Notified(Signal& signal, Mono deadline) : Wait(deadline), signal_(signal) {}
    std::expected<void, ErrorCode> await_resume() const { return result_; }

   private:
    bool step(Flow&) override { return signal_.notified_; }
    void fail(ErrorCode why) override { result_ = std::unexpected(why); }
    void attach(Flow& flow) override { signal_.waiter_ = &flow; }
    void detach() override { signal_.waiter_ = nullptr; }

    Signal& signal_;
    std::expected<void, ErrorCode> result_;
  };
  Notified notified(Mono deadline) { return {*this, deadline}; }

 private:
  Flow* waiter_ = nullptr;
  bool notified_ = false;
};

}  // namespace drover::net
