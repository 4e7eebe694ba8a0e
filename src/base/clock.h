#pragma once
// Time. Pure code takes `now` as a parameter; flows ask their Loop; only the edges of the program own a Clock.

#include <chrono>
#include <cstdint>

namespace drover {

using Duration = std::chrono::nanoseconds;

// Monotonic time since an arbitrary start. Simulated worlds start at zero.
struct MonoClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonoClock>;
  static constexpr bool is_steady = true;
};
using Mono = MonoClock::time_point;

// Wall-clock time, nanoseconds since the Unix epoch. For people and logs; no deadline is ever computed from it.
using Wall = std::chrono::time_point<std::chrono::system_clock, Duration>;

inline constexpr Mono kNever = Mono::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Mono mono() const = 0;
  virtual Wall wall() const = 0;
};

// The machine's clocks. Any thread.
class SystemClock final : public Clock {
 public:
  Mono mono() const override;
  Wall wall() const override;
};

// Moves only when told to: for tests and simulated worlds.
class ManualClock final : public Clock {
 public:
  Mono mono() const override { return now_; }
  Wall wall() const override { return Wall{now_.time_since_epoch() + epoch_}; }
  void advance(Duration by) { now_ += by; }
  void set(Mono now) { now_ = now; }
  void step_wall(Duration by) { epoch_ += by; }

 private:
  Mono now_{};
  Duration epoch_ = std::chrono::hours(24 * 365 * 55);  // 2024 or so: any fixed date serves
};

constexpr double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// `now + wait` without overflow: a wait of Duration::max() means never. `now` may be Mono::min(), long ago.
constexpr Mono after(Mono now, Duration wait) { return now >= Mono{} && wait >= kNever - now ? kNever : now + wait; }

}  // namespace drover
