#pragma once
#include "balance/policy.h"

namespace drover::balance {

// The node whose GPUs have most left: of the time in which they work, and of their memory, by weights (0.7 and 0.3
// unless the route says otherwise). A weighted sum of what is free, as in Kubernetes' scheduler (NodeResourcesFit,
// strategy LeastAllocated).
//
// What a node's agent reported is counted up by the requests that were started there since, so that not all go to one
// node until the next report. Of a node without a fresh report its own slots are counted instead: it is as free as they
// are. Of equals the one with the fewest requests for its weight.
class GpuScore final : public Policy {
 public:
  Pick pick(std::span<const Candidate> candidates, const PickContext& context) const override;
};

}  // namespace drover::balance
