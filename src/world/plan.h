#pragma once
// What a seed draws before anything happens: how large the world is, which settings the gateway has, which faults
// befall it and how its clients behave. Plain data: the same plan gives the same run, and a smaller one of a failing
// plan is what the shrinker looks for.

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "net/sim_world.h"

namespace drover::world {

// What goes wrong. Each kind has its own generator and its own times, so that a world without one of them is the same
// in all others.
enum class Fault : std::uint8_t {
  // A node's network.
  node_refuses,    // nobody listens there for a while
  node_blackhole,  // dials get no answer for a while
  node_resets,     // connections are reset before the program takes them
  node_held,       // nothing passes for a while, either way; then all of it
  link_slow,       // connections with up to 200 ms more each way
  link_reset,      // reset at some byte
  link_stall,      // silence from some byte on
  garbage,         // bytes at some place of an answer that no Ollama sends
  // A node.
  node_crash,  // kill -9, and a new start
  node_lies,   // probes pass, requests hang
  probe_lies,  // probes pass, and say that it holds no model, or runs none
  node_moves,  // it comes back under another address; its name follows
  answer_reset,
  answer_cut,  // FIN where more should come
  answer_stall,
  answer_error,
  answer_garbage,
  answer_silent_end,
  answer_drip,
  answer_hang,
  out_of_memory,
  server_busy,
  runner_crash,
  slow_load,
  eviction,  // somebody unloads a model, or loads another, behind the gateway's back
  leak,      // a stranger leaves a node in the ways that make it lose a connection or a slot
  // The gateway's machine.
  names_fail,      // the name service knows nobody, or says nothing
  no_descriptors,  // none is left to accept or to dial
  clock_step,      // of the wall clock, up to a day
  frozen_worker,   // a thread gets no processor for a while
  gateway_crash,   // kill -9, and a new start
  gateway_stop,    // SIGTERM, and a new start
  reload,          // other settings
  bad_reload,      // a settings file with a fault in it
  node_removed,    // by a reload; comes back by another
};
inline constexpr std::size_t kFaultCount = static_cast<std::size_t>(Fault::node_removed) + 1;
std::string_view name(Fault fault);

// How a client behaves. Each kind arrives by its own clock.
enum class Habit : std::uint8_t {
  patient,       // asks, reads to the end
  sdk,           // repeats what failed as OpenAI's libraries do
  keeps_alive,   // several requests on one connection
  pipelines,     // the next request before the answer
  leaves,        // at some moment, by FIN or RST
  leaves_queue,  // asks much at once and leaves soon
  half_closes,   // ends its side when it has asked
  reads_slowly,
  never_reads,
  stays_open,  // keeps the connection when all is over
  slow_body,   // the request comes in drops, perhaps not to its end
  malformed,   // no HTTP, or no JSON
  browses,     // listings, show, version, unknown models
  commands,    // loads and unloads through the gateway
  crowds,      // several tenants at once ask for more than there is room for
};
inline constexpr std::size_t kHabitCount = static_cast<std::size_t>(Habit::crowds) + 1;
std::string_view name(Habit habit);

struct Plan {
  std::uint64_t seed = 1;
  double minutes = 1;  // of faults; healing comes on top
  bool swarm = false;  // was drawn with a random part of the faults only
  std::size_t nodes = 3;
  std::size_t workers = 2;
  unsigned slots = 4;  // of each node; 0: the gateway must find out
  double rate = 20;    // requests a second, all clients together
  std::bitset<kFaultCount> faults;
  std::bitset<kHabitCount> habits;
  config::DroverSettings settings;  // without nodes, which routes may name
  net::SimNetworkSettings network;

  bool has(Fault fault) const { return faults.test(static_cast<std::size_t>(fault)); }
  bool has(Habit habit) const { return habits.test(static_cast<std::size_t>(habit)); }
  Duration length() const { return Duration{static_cast<std::int64_t>(minutes * 60e9)}; }
};

// Changes to what the seed draws, as the command line names them.
struct Overrides {
  double minutes = 1;
  bool swarm = false;
  std::size_t nodes = 0;  // 0: as drawn
  double rate = 0;
  std::vector<std::string> without{};  // names of faults and habits
};

Plan draw_plan(std::uint64_t seed, const Overrides& overrides);
// Which policy decides, and for some models another one, among some nodes: `policy` and `routes` of the settings. A
// list may name nodes that this world has not; the first node, which holds every model, is in each.
void draw_routing(Random& random, config::DroverSettings& settings);
// What takes a model's place: fallbacks of the routes, and the aliases.
void draw_names(Random& random, config::DroverSettings& settings);
std::string node_name(std::size_t index);
// Tokens of context that a node gives where nothing is asked for.
inline constexpr std::uint32_t kOwnContext = 4'096;

// Tenants that come in crowds are called so, and numbered; so many of them stand in the settings.
inline constexpr std::string_view kCrowd = "crowd-";
inline constexpr std::size_t kKnownCrowds = 6;
// That nodes hold. The last one is for embeddings.
inline constexpr std::array<std::string_view, 4> kModels{"llama3.2:3b", "gemma3:4b", "qwen3:8b",
                                                         "nomic-embed-text:latest"};
inline constexpr std::size_t kChatModels = kModels.size() - 1;
inline constexpr std::string_view kNobodys = "nobody:1b";  // that none holds
// Some clients call the first model by this name.
inline constexpr std::string_view kAlias = "assistant";
// And some ask for whichever of several.
inline constexpr std::string_view kSplit = "crew";

// Uniform from nothing to `most`, both included.
Duration up_to(Random& random, Duration most);
// Error (invalid): a name in `without` that is none.
Result<void> check(const Overrides& overrides);

// For people: one line of knobs.
std::string describe(const Plan& plan);
// `drover world --seed 7 ...`
std::string replay_command(std::uint64_t seed, const Overrides& overrides);

}  // namespace drover::world
