#pragma once
// A world in one thread under a virtual clock: loops, streams and time behave as on Linux, only that nothing waits and
// one seed replays a whole run. Events are ordered by (time, sequence); every random choice comes from the seed.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "net/loop.h"
#include "net/network.h"

namespace drover::net {

class SimListener;
class SimWorld;

// How the simulated network behaves. Defaults: a LAN that delivers every write whole.
struct SimNetworkSettings {
  Duration latency = std::chrono::microseconds(100);
  Duration jitter{0};              // added to the latency, uniform, per delivery; order is kept
  std::size_t window = 64 * 1024;  // bytes a stream holds for a peer that does not read
  std::size_t max_read = 0;        // a read gives 1 to max_read bytes, chosen by the seed; 0: all there is
  std::size_t max_write = 0;       // a write takes 1 to max_write bytes, chosen by the seed; 0: what fits the window
};

// reset: accepted by a kernel whose program dies before it takes the connection.
enum class Reach : std::uint8_t { normal, refused, reset, blackhole };

class SimLoop final : public Loop {
 public:
  explicit SimLoop(SimWorld& world);
  void post(std::move_only_function<void()> work) override;

 private:
  friend class SimWorld;
  SimWorld& world_;
};

class SimNetwork final : public Network {
 public:
  SimNetwork(SimWorld& world, SimLoop& loop) : world_(world), loop_(loop) {}
  Loop& loop() override { return loop_; }
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options = {}) override;
  Task<IoResult<std::unique_ptr<Stream>>> dial(Endpoint to, Mono deadline) override;

 private:
  SimWorld& world_;
  SimLoop& loop_;
};

// Owns the clock and the events. Loops and networks made from it must die before it.
class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed, SimNetworkSettings settings = {});
  ~SimWorld();

  ManualClock& clock() { return clock_; }
  Random& random() { return random_; }
  SimNetworkSettings& settings() { return settings_; }

  // What a dial to this endpoint meets from now on.
  void set_reach(const Endpoint& endpoint, Reach reach) { reach_[endpoint] = reach; }

  // Runs until `done()` is true or virtual time reaches `until`. True when `done()`.
  bool run_until(const std::function<bool()>& done, Mono until);
  // Lets virtual time pass.
  void run_for(Duration time);

  void schedule(Mono when, std::move_only_function<void()> work);
  std::uint64_t events() const { return sequence_; }

 private:
  friend class SimLoop;
  friend class SimNetwork;
  friend class SimListener;

  struct Event {
    Mono when;
    std::uint64_t sequence;
    std::move_only_function<void()> work;
  };
  static bool later(const Event& a, const Event& b);
  bool advance(Mono until);  // to the next thing that happens; false when nothing does before `until`

  ManualClock clock_;
  Random random_;
  SimNetworkSettings settings_;
  std::vector<Event> events_;  // a heap
  std::uint64_t sequence_ = 0;
  std::vector<SimLoop*> loops_;
  std::map<Endpoint, std::vector<SimListener*>> listeners_;  // several where the port is shared
  std::map<Endpoint, Reach> reach_;
  std::uint16_t next_port_ = 30000;
};

}  // namespace drover::net
