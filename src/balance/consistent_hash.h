#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "balance/policy.h"

namespace drover::balance {

// Requests that belong together meet on one node, and go on meeting there when others come and go: a node owns the
// stretches of a ring before its points (Ketama, R. Jones, last.fm 2007), and a request goes to the owner of its
// affinity. An owner that has more than 1.25 times its share in flight is passed over, and so is one without a free
// slot; the next on the ring takes its place (V. Mirrokni, M. Thorup, M. Zadimoghaddam: Consistent hashing with bounded
// loads, 2016). A request without affinity goes where least_connections would send it.
//
// All gateways have the same ring, whatever they call their nodes. A node that leaves moves its own share only.
class ConsistentHash final : public Policy {
 public:
  static constexpr double kBound = 1.25;         // of the share
  static constexpr double kPointsAWeight = 128;  // on the ring, for a weight of 1

  Pick pick(std::span<const Candidate> candidates, const PickContext& context) const override;

 private:
  using Points = std::vector<std::uint32_t>;  // ascending
  const Points& points_of(const Candidate& candidate) const;
  void forget_those_who_left(std::span<const Candidate> candidates) const;

  mutable std::map<std::uint64_t, Points> points_;  // by identity; made when a node is first seen
};

}  // namespace drover::balance
