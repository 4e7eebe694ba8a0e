#pragma once
// What is known of a node: its runners (one for each set of weights it can serve), its load, its health.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "balance/context.h"
#include "balance/events.h"
#include "balance/fading_rate.h"
#include "balance/health.h"
#include "balance/lane.h"
#include "balance/slots.h"
#include "balance/speed.h"
#include "base/clock.h"
#include "base/ids.h"

namespace drover::balance {

inline constexpr Duration kStartsFade = std::chrono::minutes(1);

// After so many starts with the old options a claimed runner is left to become idle.
inline constexpr unsigned kStartsPastClaim = 16;

// What is done about a slot that has leaked (leak.h).
enum class Leak : std::uint8_t {
  none,
  emptying,   // what was sent there is taken back; nothing new starts
  unloading,  // nothing of ours runs there
};

struct Runner {
  Runner(Node& its_node, RunnerKey runner_key, const SlotSetting& setting)
      : node(&its_node), key(runner_key), slots(setting) {}

  Node* node;
  RunnerKey key;
  SlotEstimate slots;
  unsigned in_flight = 0;  // never above slots when a request starts; above it only when slots shrink meanwhile
  bool listed = false;     // the node says that it can serve it
  bool resident = false;
  std::optional<LoadNeed> need;  // resident by our own load, with these options; else unknown
  RunnerContext context;
  bool seen_resident = false;      // by the poll that is being read
  std::uint64_t seen_context = 0;  // and its tokens there
  Mono known_at{};                 // when we saw it loaded or gone ourselves: polls asked for earlier know less
  Mono no_load_until{};            // a load has just failed
  Leak leak = Leak::none;
  UnloadToken unload{};         // while unloading
  Mono no_unload_until{};       // it was unloaded for a leaked slot
  Mono answered_at{};           // when the last whole answer came
  Request* claimant = nullptr;  // waits for it with other options
  unsigned starts_past_claim = 0;

  // What the estimates know of it (estimate.h).
  SpeedEstimate speed;
  Pace pace;
  bool judged = false;      // by an answer since it was last taken to be as fast as usual
  FadingMean load_time{0};  // seconds
  CacheId cache = kNoCache;
  Request* running = nullptr;  // the first of those that run here
  FadingCount starts{kStartsFade};
  double promised = 0;            // seconds of work that wait for it by choice, as of
  std::uint64_t promised_at = 0;  // this look at the lane (survey.h)

  // When the last few requests ended here, to judge whether one had waited for another (slots.h).
  std::array<Mono, 16> ends{};
  std::uint64_t ended = 0;
  void note_end(Mono now) { ends[ended++ % ends.size()] = now; }
};

struct NodeLoad {
  LoadToken token;
  Lane* lane;
  Runner* runner;
  LoadNeed need;
  RequestId request;       // for which it was decided
  const Runner* victim;    // makes room, once nothing runs there; nothing new starts there. null: none has to
  bool asked_for = false;  // the node knows of it
  Mono since;              // when it was asked for, or else decided
};

// How many models a node holds at once, as far as it was seen to push one out. So long it is believed; then the node
// chooses what goes, or shows that it has room.
struct MostLoaded {
  static constexpr Duration kHolds = std::chrono::minutes(10);

  std::size_t models;
  Mono seen;
};

struct GpuReport {
  GpuLoad load;
  Mono at;
  std::size_t in_flight;  // on the node, then
};

// A lane that the node takes part in.
struct Served {
  Lane* lane;
  Runner* runner;
};

struct Node {
  Node(const NodeSpec& node_spec, const HealthSettings& settings) : spec(node_spec), health(settings) {}

  NodeSpec spec;
  HealthTracker health;
  std::uint64_t version = 1;  // grows with whatever a look at it would show otherwise (survey.h): changed()
  bool draining = false;
  bool removed = false;
  bool answered = false;  // ever: then it is known how fast it is, by one of its models
  std::size_t in_flight = 0;
  double writing = 0;  // writing_weight() of those
  FadingCount starts{kStartsFade};
  std::size_t resident = 0;  // runners in memory
  unsigned recoveries = 0;
  std::size_t stragglers = 0;           // of in_flight: started before the last recovery, perhaps hung since the outage
  std::map<RunnerKey, Runner> runners;  // addresses last
  std::vector<Served> served;           // by model name
  std::optional<NodeLoad> load;
  std::optional<MostLoaded> most;
  Mono no_loads_until{};  // its load queue was full
  std::optional<GpuReport> gpu;

  void changed() { ++version; }
  // As reported, and each request that was started since as busy as a slot; nullopt: nothing fresh.
  std::optional<GpuLoad> gpu_load(Duration oldest, Mono now) const {
    if (!gpu || now - gpu->at >= oldest) return std::nullopt;
    GpuLoad counted = gpu->load;
    const std::size_t since = in_flight - std::min(in_flight, gpu->in_flight);
    const auto slots = static_cast<double>(std::max<std::size_t>(1, slots_in_memory()));
    counted.busy = std::min(1.0, counted.busy + static_cast<double>(since) / slots);
    return counted;
  }
  bool usable() const { return !removed && !draining && health.state() != Health::offline; }
  bool admits(Mono now) const {
    return !health.limits() || in_flight - stragglers < health.admission_limit(slots_in_memory(), now);
  }
  // Of all models that are there.
  std::size_t slots_in_memory() const {
    std::size_t slots = 0;
    for (const auto& [key, runner] : runners) slots += runner.resident ? runner.slots.slots() : 0;
    return slots;
  }
  void begin_recovery() {
    ++recoveries;
    stragglers = in_flight;
  }
  // Another model's load runs so long that new requests would starve it (a node evicts only what is idle).
  bool held_for_load(const Runner& runner, Mono now, Duration patience) const {
    return load && load->asked_for && load->runner != &runner && now - load->since > patience;
  }
  // It has to go before the load that was decided.
  bool makes_room(const Runner& runner) const { return load && load->victim == &runner; }
  // Its load would push out another model.
  bool full_for(const Runner& runner, Mono now) const {
    if (runner.resident) return false;
    if (spec.max_loaded && resident >= *spec.max_loaded) return true;
    return most && resident >= most->models && now - most->seen < MostLoaded::kHolds;
  }
  bool can_load(const Runner& runner, Mono now) const {
    return !load && now >= no_loads_until && now >= runner.no_load_until;
  }
  void set_resident(Runner& runner, bool in_memory) {
    if (runner.resident == in_memory) return;
    runner.resident = in_memory;
    runner.need.reset();
    runner.cache = kNoCache;
    in_memory ? ++resident : --resident;
    if (most) most->models = std::max(most->models, resident);
  }
};

}  // namespace drover::balance
