#include "net/flow.h"

#include "net/loop.h"

namespace drover::net {

bool Wait::suspend(Flow& flow, std::coroutine_handle<> task) {
  if (flow.cancelled()) {
    fail(ErrorCode::cancelled);
    return false;
  }
  if (step(flow)) return false;
  if (deadline_ <= flow.loop().now()) {
    fail(ErrorCode::timed_out);
    return false;
  }
  flow.task_ = task;
  flow.wait_ = this;
  flow.deadline_ = deadline_;
  attach(flow);
  if (deadline_ != kNever) flow.loop().timers().watch(flow);
  return true;
}

Flow::~Flow() { CHECK(wait_ == nullptr); }

void Flow::cancel() {
  cancelled_ = true;
  wake();
}

void Flow::wake() {
  if (wait_ != nullptr && !ready_link.linked()) loop_.make_ready(*this);
}

void Flow::run() {
  if (wait_ != nullptr) {
    Wait& wait = *wait_;
    if (cancelled_) {
      wait.fail(ErrorCode::cancelled);
    } else if (!wait.step(*this)) {
      if (!expired_) return;
      wait.fail(ErrorCode::timed_out);
    }
    wait.detach();
    wait_ = nullptr;
  }
  expired_ = false;
  deadline_ = kNever;
  task_.resume();
}

}  // namespace drover::net
