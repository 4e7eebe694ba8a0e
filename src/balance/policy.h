#pragma once
// A policy chooses among candidates; what a candidate is (healthy, serves the model, not excluded) was decided before
// it (survey.h): an absent one is there only to keep its place in the list. It starts a request on a node or lets it
// wait for one: late binding. One file per policy.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "balance/events.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"

namespace drover::balance {

enum class PolicyKind : std::uint8_t {
  earliest_finish,
  least_connections,
  least_loaded,
  round_robin,
  random,
  two_choices,
  consistent_hash,
  gpu_score,
  manual,
};
// All of them, by kind.
inline constexpr std::array<std::string_view, 9> kPolicyNames = {
    "earliest_finish", "least_connections", "least_loaded", "round_robin", "random",
    "two_choices",     "consistent_hash",   "gpu_score",    "manual"};
constexpr std::string_view name(PolicyKind kind) { return kPolicyNames[static_cast<std::size_t>(kind)]; }
std::optional<PolicyKind> policy_kind(std::string_view name);

// How far a node is from starting this request.
enum class Readiness : std::uint8_t {
  absent,    // no candidate at all: offline, draining, or none of the route's nodes
  ready,     // in memory with the right options, and a slot is free
  busy,      // in memory, or on its way into it, with the right options, but no slot is free now
  cold,      // a load could start now
  occupied,  // in memory with other options and in use: a reload must wait until it is idle
  blocked,   // nothing can start there now: another load runs, its load queue is full, or a load has just failed
};

struct Candidate {
  NodeId node;
  Readiness readiness = Readiness::absent;
  bool resident = false;           // the model is in memory, whatever its options
  bool evicts = false;             // it holds as many models as it may: a load pushes one out
  unsigned slots = 1;              // for this model
  unsigned in_flight = 0;          // of this model
  std::size_t node_in_flight = 0;  // of all models: they share its GPU
  double weight = 1;               // configured, times the factor of its health; above 0
  double cost = 0;                 // of this request there, in seconds, for policies that ask for it (estimate.h)
  std::uint64_t identity = 0;      // of the machine: the same in all gateways, however they number their nodes
  std::optional<GpuLoad> gpu{};    // freshly reported, with what was started there since
  double* turn = nullptr;          // the policy's own memory per (model, node), zero at first; never null
};

struct PickContext {
  Mono now;
  Random& random;                    // the scheduler's own: one seed, one run
  std::optional<NodeId> previous{};  // the last node picked for this model: ties go round from there
  std::uint64_t affinity = 0;        // equal for requests that had better meet on one node; 0: it is all the same
  bool may_load = false;             // one more load of the model is allowed now
  double gpu_share = 0.7;            // what free GPU time counts for; free memory for the rest
  bool may_wait = true;              // it has not yet waited by choice for as long as it may
};

struct StartOn {
  std::size_t candidate;  // index
};
struct WaitFor {
  std::optional<std::size_t> candidate{};  // index: the one it waits for, if it is a certain one
};
using Pick = std::variant<StartOn, WaitFor>;

// Thread: the scheduler's lock. State lives in `Candidate::turn`, so that a policy can be exchanged at any time.
class Policy {
 public:
  virtual ~Policy() = default;
  // StartOn only for a candidate that is ready. Cost: O(candidates), no allocation.
  virtual Pick pick(std::span<const Candidate> candidates, const PickContext& context) const = 0;
  // It decides by Candidate::cost.
  virtual bool estimates() const { return false; }
  // Only the first of a route's nodes that can be used at all is a candidate.
  virtual bool first_only() const { return false; }
};

std::unique_ptr<Policy> make_policy(PolicyKind kind);

}  // namespace drover::balance
