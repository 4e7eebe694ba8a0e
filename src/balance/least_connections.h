#pragma once
#include "balance/policy.h"

namespace drover::balance {

// The node that would have the fewest requests in flight for its weight, with this one: (in flight + 1) / weight, all
// models counted, since they share the GPU. The one that is added makes idle nodes of less weight come later, so that a
// degraded node is spared even when all are idle. Ties go round: the first node after the one picked last.
class LeastConnections final : public Policy {
 public:
  Pick pick(std::span<const Candidate> candidates, const PickContext& context) const override;
};

}  // namespace drover::balance
