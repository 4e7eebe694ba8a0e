#pragma once
// Signals of the process as something a flow can wait for.

#include <initializer_list>

#include "net/linux_loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace drover::net {

// Takes the named signals away from their default action, for this thread and those it starts later. First thing in a
// program that waits for signals: a thread without the mask would die of one.
void block_signals(std::initializer_list<int> signals);

// Gives the named signals, which are blocked, to a flow.
class SignalSource final : private LinuxLoop::Watched {
 public:
  SignalSource(LinuxLoop& loop, std::initializer_list<int> signals);
  ~SignalSource();

  // The number of the next signal. Error: cancelled.
  class Next;
  Next next();

 private:
  void on_events(std::uint32_t events) override;

  int descriptor_;
  bool pending_ = false;
  Flow* waiter_ = nullptr;
};

class SignalSource::Next final : public Wait {
 public:
  explicit Next(SignalSource& source) : Wait(kNever), source_(source) {}
  IoResult<int> await_resume() const { return result_; }

 private:
  bool step(Flow&) override;
  void fail(ErrorCode why) override { result_ = std::unexpected(why); }
  void attach(Flow& flow) override { source_.waiter_ = &flow; }
  void detach() override { source_.waiter_ = nullptr; }

  SignalSource& source_;
  IoResult<int> result_;
};

inline SignalSource::Next SignalSource::next() { return Next{*this}; }

}  // namespace drover::net
