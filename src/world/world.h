#pragma once
// A whole world under virtual time, from a plan: nodes, clients, a gateway of several workers, and chaos between them.
//
//   warm up     the gateway starts, some models are loaded
//   trouble     clients come, faults strike; oracles watch
//   heal        everything is repaired; who is still served may finish
//   progress    one request for each model must succeed
//   rest        the gateway ends; nothing may be left of anything

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "world/oracles.h"
#include "world/plan.h"

namespace drover::world {

// What came of a world.
struct Verdict {
  std::optional<Complaint> complaint{};  // none: all that must hold held
  std::vector<std::string> last_events{};
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0;  // of the trace
  double simulated_seconds = 0;
  std::uint64_t requests = 0;
  std::uint64_t chunks = 0;                         // pieces of answers that went to clients
  double live_streams = 0;                          // on average, while clients came
  std::map<std::string, std::uint64_t> met{};       // rare conditions
  std::map<std::string, std::uint64_t> outcomes{};  // requests by their outcome
};

struct RunOptions {
  std::uint64_t until = 0;                       // stops at this event of the trace; 0: at the end
  std::function<void(std::string_view)> show{};  // gets a line for each event as it happens; may be empty
};
Verdict run_world(const Plan& plan, const RunOptions& options = {});

}  // namespace drover::world
