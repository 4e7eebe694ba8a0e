#include "net/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"

namespace drover::net {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_signals(std::initializer_list<int> signals) {
  const sigset_t set = set_of(signals);
  CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
}

SignalSource::SignalSource(LinuxLoop& loop, std::initializer_list<int> signals) {
  const sigset_t set = set_of(signals);
  descriptor_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK(descriptor_ >= 0 && loop.watch(descriptor_, *this));
}

SignalSource::~SignalSource() { ::close(descriptor_); }

void SignalSource::on_events(std::uint32_t) {
  pending_ = true;
  if (waiter_ != nullptr) waiter_->wake();
}

bool SignalSource::Next::step(Flow&) {
  if (!source_.pending_) return false;
  signalfd_siginfo info;
  if (::read(source_.descriptor_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    source_.pending_ = false;  // read empty; the next signal makes an edge
    return false;
  }
  result_ = static_cast<int>(info.ssi_signo);
  return true;
}

}  // namespace drover::net
