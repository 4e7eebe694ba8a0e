#include "base/clock.h"

#include <ctime>

namespace drover {
namespace {

Duration read(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

Mono SystemClock::mono() const { return Mono{read(CLOCK_MONOTONIC)}; }

Wall SystemClock::wall() const { return Wall{read(CLOCK_REALTIME)}; }

}  // namespace drover
