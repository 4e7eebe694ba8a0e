#pragma once
#include "balance/policy.h"

namespace drover::balance {

// The node that would have the smallest part of its slots for the model in use, with this request and for its weight:
// (in flight + 1) / (slots * weight). Of equals the one that is less busy with all models.
class LeastLoaded final : public Policy {
 public:
  Pick pick(std::span<const Candidate> candidates, const PickContext& context) const override;
};

}  // namespace drover::balance
