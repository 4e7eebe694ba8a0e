#pragma once
// One replay: a workload, a fleet as it truly is, a policy, a seed.

#include <optional>
#include <string>

#include "load/goal.h"
#include "replay/figures.h"
#include "replay/fleet.h"
#include "replay/scheduled.h"
#include "replay/workload.h"

namespace drover::replay {

struct Scenario {
  std::optional<Trace> trace{};   // else
  SyntheticSettings synthetic{};  // its seed is the run's
  Fleet fleet;
  Truth truth{};
  bool reuse = true;              // false: no prompt begins like another
  bool warm = false;              // nodes begin with models loaded
  ScheduledSettings scheduled{};  // its policy is the run's
  load::Goal goal;
};

// The models that its workload asks for, by name.
std::vector<std::string> models_of(const Scenario& scenario);

// Error (invalid): a model of the workload that no node holds.
Result<void> validate(const Scenario& scenario);

// By their names: the scheduler's own, `rival:NAME`, `rival:NAME+queue`, and the references `informed` and
// `informed_pooled`.
std::vector<std::string> policy_names();
bool is_policy(std::string_view name);

// Equal arguments give equal figures. Thread: any; the scenario is only read.
Figures replay(const Scenario& scenario, std::string_view policy, std::uint64_t seed);

}  // namespace drover::replay
