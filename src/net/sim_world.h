#pragma once
// A world in one thread under a virtual clock: loops, streams and time behave as on Linux, only that nothing waits and
// one seed replays a whole run. Events are ordered by (time, sequence); every random choice comes from the seed.
//
// What happens to a socket and what its loop is told of it are two events, as between a kernel and its poller: bytes,
// an end or a reset are there from the moment they arrive, so that a read or a write may meet them, and the notice
// follows, up to `notice` later.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "net/loop.h"
#include "net/network.h"

namespace drover::net {

class SimListener;
class SimStream;
class SimWorld;

// How the simulated network and its loops behave. Defaults: a LAN that delivers every write whole, and a poller that
// sees at once what happens. What is random is uniform and chosen by the seed.
struct SimNetworkSettings {
  Duration latency = std::chrono::microseconds(100);
  Duration jitter{0};              // added to the latency, up to this, per delivery; order is kept
  std::size_t window = 64 * 1024;  // bytes a stream holds for a peer that does not read
  std::size_t max_read = 0;        // a read gives 1 to max_read bytes; 0: all there is
  std::size_t max_write = 0;       // a write takes 1 to max_write bytes; 0: what fits the window
  Duration notice{0};              // a loop is told up to so late what happened to a stream of its
  double spurious = 0;             // how often a stream that was read empty still counts as readable
  Duration post{0};                // work posted to a loop begins up to so late; its order is kept
};

// reset: accepted by a kernel whose program dies before it takes the connection.
enum class Reach : std::uint8_t { normal, refused, reset, blackhole };

// One end of a connection: who dialled, or who listened.
enum class End : std::uint8_t { dialler, listener };
constexpr End other(End end) { return end == End::dialler ? End::listener : End::dialler; }

// What befalls one connection: decided when it is made. Bytes are counted from 0, per direction.
struct LinkFaults {
  struct Direction {
    std::optional<std::size_t> reset_at{};  // both ends are reset when this byte should arrive
    std::optional<std::size_t> stall_at{};  // from this byte on everything comes `stall` later
    Duration stall{};
    std::optional<std::size_t> insert_at{};  // before this byte, `insert` arrives, which nobody sent
    std::string insert{};
  };
  Duration latency{};  // on top of the network's
  Direction from_dialler{};
  Direction from_listener{};
};

using LinkId = std::uint64_t;

// Sees all that happens on all connections, when it happens. May not touch the world.
class LinkTap {
 public:
  virtual ~LinkTap() = default;
  virtual void opened(LinkId link, const Network& dialler, const Endpoint& to) = 0;
  virtual void wrote(LinkId link, End by, std::string_view bytes) = 0;      // they left
  virtual void arrived(LinkId link, End from, std::string_view bytes) = 0;  // they can be read
  virtual void finished(LinkId link, End by) = 0;                           // FIN was sent
  virtual void aborted(LinkId link, End by) = 0;                            // RST was sent
  virtual void end_arrived(LinkId link, End from) = 0;                      // FIN can be read
  virtual void reset_arrived(LinkId link, End from) = 0;
};

class SimLoop final : public Loop {
 public:
  explicit SimLoop(SimWorld& world);
  void post(std::move_only_function<void()> work) override;
  // The thread gets no processor until then.
  void freeze(Mono until);

 private:
  friend class SimWorld;
  bool runs(Mono now) const { return frozen_until_ <= now; }

  SimWorld& world_;
  Mono frozen_until_{};
  Mono last_post_{};
};

// The network of one process, or of one thread of it.
class SimNetwork final : public Network {
 public:
  SimNetwork(SimWorld& world, SimLoop& loop) : world_(world), loop_(loop) {}
  Loop& loop() override { return loop_; }
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options = {}) override;
  Task<IoResult<std::unique_ptr<Stream>>> dial(Endpoint to, Mono deadline) override;

  // As kill -9 of the process: its connections are reset, nobody listens, and nothing that its flows still do while
  // they unwind reaches anybody. There is no way back.
  void crash();
  // No descriptor is left until then: dials fail, and who comes is turned away.
  void lack_descriptors(Mono until) { lacking_until_ = until; }
  std::size_t streams() const { return streams_->size(); }  // open ones
  std::size_t most_unsent() const;                          // bytes that one of them keeps

 private:
  friend class SimStream;
  friend class SimListener;
  bool lacks_descriptors() const;

  SimWorld& world_;
  SimLoop& loop_;
  bool crashed_ = false;
  Mono lacking_until_{};  // descriptors
  // By connection. Notices that are under way know it too, and may arrive when this network is gone.
  using Streams = std::map<std::pair<LinkId, End>, SimStream*>;
  std::shared_ptr<Streams> streams_ = std::make_shared<Streams>();
  std::vector<SimListener*> listeners_;
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
  // Nothing reaches the listener there or comes from it until then, on connections that stand.
  void hold(const Endpoint& endpoint, Mono until) { held_[endpoint] = until; }
  // Asked for each connection to `to` that is made from now on.
  void set_link_faults(std::function<LinkFaults(const Endpoint& to)> faults) { faults_ = std::move(faults); }
  // What was decided for the connections that stand befalls them no more.
  void forget_link_faults() { ++fault_epoch_; }
  void set_tap(LinkTap* tap) { tap_ = tap; }

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
  friend class SimStream;
  friend struct SimLink;

  struct Event {
    Mono when;
    std::uint64_t sequence;
    std::move_only_function<void()> work;
  };
  static bool later(const Event& a, const Event& b);
  bool advance(Mono until);  // to the next thing that happens; false when nothing does before `until`
  void turn_loops();
  Duration up_to(Duration most);  // uniform; draws nothing for zero

  ManualClock clock_;
  Random random_;
  SimNetworkSettings settings_;
  std::vector<Event> events_;  // a heap
  std::uint64_t sequence_ = 0;
  std::vector<SimLoop*> loops_;
  std::map<Endpoint, std::vector<SimListener*>> listeners_;  // several where the port is shared
  std::map<Endpoint, Reach> reach_;
  std::map<Endpoint, Mono> held_;
  std::function<LinkFaults(const Endpoint&)> faults_;
  LinkTap* tap_ = nullptr;
  LinkId last_link_ = 0;
  std::uint64_t fault_epoch_ = 0;
  std::uint16_t next_port_ = 30000;
};

}  // namespace drover::net
