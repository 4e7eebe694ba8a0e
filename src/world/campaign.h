#pragma once
// Many worlds, one seed each: every world in a process of its own, so that a crash of the gateway is a finding like any
// other; and the search for a smaller world that fails in the same way.

#include <cstdint>
#include <functional>
#include <string>

#include "world/world.h"

namespace drover::world {

struct CampaignOptions {
  std::uint64_t first_seed = 1;
  std::uint64_t last_seed = 1;
  Overrides overrides{};
  std::size_t jobs = 1;  // worlds at a time
};

struct Failure {
  std::uint64_t seed;
  Overrides overrides;
  Verdict verdict;
};

struct Report {
  std::uint64_t worlds = 0;
  std::uint64_t failed = 0;
  std::uint64_t events = 0;
  std::uint64_t requests = 0;
  std::uint64_t chunks = 0;
  double simulated_seconds = 0;
  double cpu_seconds = 0;                             // of the worlds
  double live_streams = 0;                            // the mean
  std::uint64_t trace_hash = 0;                       // of all worlds, in order
  std::map<std::string, std::uint64_t> met{};         // rare conditions
  std::map<std::string, std::uint64_t> first_seed{};  // the first seed that met each
  std::map<std::string, std::uint64_t> outcomes{};
};

// Runs all seeds; `failed` is called for each that fails, in order, and may end the campaign by giving false.
Report run_campaign(const CampaignOptions& options, const std::function<bool(const Failure&)>& failed);

// Runs one world in a process of its own. A crash is a complaint of the oracle `crash`.
Verdict run_apart(std::uint64_t seed, const Overrides& overrides);

// Leaves out what the failure does not need: time, clients, nodes, faults, habits; a few dozen worlds. `tried` is
// called with each smaller one that still fails.
Failure shrink(Failure failure, const std::function<void(const Failure&)>& tried);

}  // namespace drover::world
