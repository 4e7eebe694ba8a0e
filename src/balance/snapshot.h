#pragma once
// The scheduler's state, for status, metrics and people: a copy, sorted by id and name. Of a large fleet it is taken in
// parts, so that each node is as it was at a moment of its own.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "balance/events.h"

namespace drover::balance {

struct RunnerSnapshot {
  RunnerKey key;
  std::vector<std::string> models;  // names that it serves
  bool resident = false;
  unsigned slots = 1;
  bool automatic_slots = true;
  unsigned in_flight = 0;
  bool leaked = false;  // a slot has leaked there: nothing starts until it is unloaded (leak.h)
  std::uint64_t context = 0;
  std::optional<LoadNeed> need{};  // what it was loaded with, if we did it
};

struct LoadSnapshot {
  std::string model;
  std::string evicts;  // the model that makes room for it; empty: none
  bool begun;          // else that one is not idle yet
  Mono since;
};

struct NodeSnapshot {
  NodeId id;
  Health health = Health::offline;
  HealthReason why = HealthReason::not_probed_yet;
  Mono since{};  // of that health
  bool draining = false;
  bool load_saturated = false;
  double weight = 1;
  std::size_t in_flight = 0;
  std::size_t waiting = 0;  // requests waiting for a model of this node, here or elsewhere
  std::optional<LoadSnapshot> loading{};
  std::vector<RunnerSnapshot> runners{};
};

struct ModelSnapshot {
  std::string model;
  std::size_t waiting = 0;
  std::size_t in_flight = 0;
  std::optional<Mono> oldest{};    // arrival of the first in line
  std::optional<Duration> wait{};  // until the last in line starts, if it is known how fast the line moves
};

// One that settings name, or that a line knows.
struct TenantSnapshot {
  std::string name;
  double weight = 1;
  std::size_t waiting = 0;  // its requests, of all models
};

struct Snapshot {
  std::vector<NodeSnapshot> nodes{};
  std::vector<ModelSnapshot> models{};
  std::vector<TenantSnapshot> tenants{};
  std::size_t waiting = 0;
  std::size_t in_flight = 0;
  std::size_t retries = 0;
  std::size_t retry_limit = 0;
};

class Dispatcher;
// Scheduler::add_to.
bool add_to(Snapshot& snapshot, std::size_t most, const Dispatcher& dispatcher, Mono now);

}  // namespace drover::balance
