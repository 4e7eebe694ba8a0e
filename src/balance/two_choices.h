#pragma once
#include "balance/policy.h"

namespace drover::balance {

// Of two nodes drawn at random the less busy one for its weight (M. Mitzenmacher: The power of two choices in
// randomized load balancing, 2001). Nearly as even as looking at all of them, and several gateways that know of each
// other only what they did themselves do not all run to the same node.
class TwoChoices final : public Policy {
 public:
  Pick pick(std::span<const Candidate> candidates, const PickContext& context) const override;
};

}  // namespace drover::balance
