#pragma once
#include "balance/policy.h"

namespace drover::balance {

// Any node with a free slot, by weight. To compare with: it needs to know nothing.
class RandomNode final : public Policy {
 public:
  Pick pick(std::span<const Candidate> candidates, const PickContext& context) const override;
};

}  // namespace drover::balance
