#pragma once
#include "balance/policy.h"

namespace drover::balance {

// The node where the request will have its whole answer first, counting against it what it costs those that run there
// already: shortest expected delay (W. Whitt: Deciding which queue to join, 1986) with estimates of each node's own,
// and the marginal cost to others as in selfish routing's tolls (A. Pigou, 1920).
//
// Of those that are ready it takes the least. It lets the request wait if another one, which is busy, still loads, or
// could load, is expected to have finished it sooner by a tenth, wait and all, unless it has waited so for long enough.
class EarliestFinish final : public Policy {
 public:
  static constexpr double kWorthWaiting = 0.9;

  Pick pick(std::span<const Candidate> candidates, const PickContext& context) const override;
  bool estimates() const override { return true; }
};

}  // namespace drover::balance
