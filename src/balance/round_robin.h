#pragma once
#include "balance/policy.h"

namespace drover::balance {

// Smooth weighted round robin, as nginx does it (commit 52327e0, 2012): every candidate's turn grows by its weight, the
// greatest turn is picked and pays the sum. With weights 5, 1, 1 it yields a a b a c a a, not a a a a a b c. Candidates
// without a free slot neither gain nor pay.
class RoundRobin final : public Policy {
 public:
  Pick pick(std::span<const Candidate> candidates, const PickContext& context) const override;
};

}  // namespace drover::balance
