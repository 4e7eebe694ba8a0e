#include "net/linux_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "net/system_calls.h"

namespace drover::net {
namespace {

constexpr int kBatch = 256;

void register_internal(int epoll, int descriptor) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
  event.data.u64 = static_cast<std::uint64_t>(descriptor) << 1 | 1;  // odd: ours; pointers are even
  CHECK(::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

void drain(int descriptor) {
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(descriptor, &count, sizeof count);
}

}  // namespace

LinuxLoop::LinuxLoop(const Clock& clock)
    : Loop(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      wakeup_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(epoll_ >= 0 && timer_ >= 0 && wakeup_ >= 0);
  register_internal(epoll_, timer_);
  register_internal(epoll_, wakeup_);
}

LinuxLoop::~LinuxLoop() {
  ::close(wakeup_);
  ::close(timer_);
  ::close(epoll_);
}

bool LinuxLoop::watch(int descriptor, Watched& watched) {
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = &watched}};
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void LinuxLoop::run() {
  outbox_.flush();  // of before
  while (!stopping_) {
    arm_timer();
    poll();
    if (std::exchange(rung_, false)) run_posted();
    turn();
    outbox_.flush();
  }
  stopping_ = false;
}

void LinuxLoop::stop() {
  post([this] { stopping_ = true; });
}

void LinuxLoop::post(std::move_only_function<void()> work) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(work));
  }
  if (!first) return;  // somebody has rung already
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wakeup_, &one, sizeof one);
}

// A deadline that moved away leaves the timer as it is: one wake-up for nothing costs less than a call each time.
void LinuxLoop::arm_timer() {
  const Mono next = next_timer();
  if (next >= armed_) return;
  const auto since = std::max(next.time_since_epoch(), Duration{1});
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since);
  itimerspec when{};
  when.it_value.tv_sec = whole.count();
  when.it_value.tv_nsec = (since - whole).count();
  CHECK(::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr) == 0);
  armed_ = next;
}

void LinuxLoop::poll() {
  std::array<epoll_event, kBatch> events;
  const int count = system_calls::epoll_wait(epoll_, events.data(), kBatch, anyone_ready() ? 0 : -1);
  read_clock();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if ((event.data.u64 & 1) == 0) {
      static_cast<Watched*>(event.data.ptr)->on_events(event.events);
      continue;
    }
    const int descriptor = static_cast<int>(event.data.u64 >> 1);
    drain(descriptor);
    if (descriptor == timer_) armed_ = kNever;
    if (descriptor == wakeup_) rung_ = true;
  }
}

void LinuxLoop::run_posted() {
  std::vector<std::move_only_function<void()>> batch;
  {
    std::lock_guard lock(mutex_);
    batch.swap(posted_);
  }
  for (auto& work : batch) work();
}

}  // namespace drover::net
