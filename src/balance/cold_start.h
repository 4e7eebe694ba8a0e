#pragma once
// What to do with a request for which no candidate is ready: let it wait, load the model somewhere, or claim a runner
// that holds it with other options.
//
// By estimate: a load where it lets the request finish sooner than waiting for a slot, by a tenth at least. Without:
// - It waits if the nodes that have the model, or are loading it, have more slots than requests wait before it: each of
//   those gets a slot within one request's time.
// - Else one more copy is loaded, if not too many loads of the model run already. A further copy goes only to a node
//   where nothing runs: it would push out, or slow, what others use. The first copy goes to the least busy one.
// - Preferred are nodes that need not drop this very model with other options, then such that need not drop another.
// - If it is in memory with other options only, and in use everywhere, it claims the least used runner: after a bounded
//   number of further requests with the old options that runner is left to become idle, and then reloaded.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "balance/policy.h"

namespace drover::balance {

struct ColdContext {
  std::size_t waiting_before = 0;    // requests for this model, ahead of this one
  unsigned loads_running = 0;        // of this model, anywhere
  unsigned parallel_loads = 1;       // the bound
  std::optional<NodeId> previous{};  // ties go round, as in the policies
};

struct ColdChoice {
  enum class Kind : std::uint8_t { wait, load, claim };
  Kind kind = Kind::wait;
  std::optional<std::size_t> candidate{};  // index; of wait: the one it waits for, if that is a certain one
};

// Cost: O(candidates), no allocation.
ColdChoice choose_by_estimate(std::span<const Candidate> candidates, const ColdContext& context);
ColdChoice choose_when_cold(std::span<const Candidate> candidates, const ColdContext& context);

}  // namespace drover::balance
