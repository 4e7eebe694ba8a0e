#pragma once
#include "balance/policy.h"

namespace drover::balance {

// The operator's choice: the first of the route's nodes that can be used at all. Requests wait for a slot of it, and go
// nowhere else while it is up.
class Manual final : public Policy {
 public:
  Pick pick(std::span<const Candidate> candidates, const PickContext&) const override {
    if (candidates.empty() || candidates.front().readiness != Readiness::ready) return WaitFor{};
    return StartOn{0};
  }
  bool first_only() const override { return true; }
};

}  // namespace drover::balance
