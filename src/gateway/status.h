#pragma once
// The gateway's state at one moment as JSON, for `drover status`, `drover nodes` and scripts.

#include <string>

#include "balance/snapshot.h"
#include "base/json.h"
#include "gateway/control.h"
#include "observe/metrics.h"

namespace drover::gateway {

struct StatusFacts {
  std::string version;
  std::string listen;  // as clients reach it
  std::string admin;
  std::string policy;
  Duration uptime{};
  bool draining = false;
};

// Keys are stable: scripts read them. Durations in seconds, sizes in bytes.
Json status_json(const StatusFacts& facts, const std::vector<Control::NodeStatus>& nodes,
                 const balance::Snapshot& snapshot, const fleet::FleetView& fleet, observe::Metrics& metrics, Mono now);

}  // namespace drover::gateway
