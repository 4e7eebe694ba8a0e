#include "balance/policy.h"

#include <algorithm>

#include "balance/consistent_hash.h"
#include "balance/earliest_finish.h"
#include "balance/gpu_score.h"
#include "balance/least_connections.h"
#include "balance/least_loaded.h"
#include "balance/manual.h"
#include "balance/random_node.h"
#include "balance/round_robin.h"
#include "balance/two_choices.h"

namespace drover::balance {

std::optional<PolicyKind> policy_kind(std::string_view text) {
  const auto found = std::ranges::find(kPolicyNames, text);
  if (found == kPolicyNames.end()) return std::nullopt;
  return static_cast<PolicyKind>(found - kPolicyNames.begin());
}

std::unique_ptr<Policy> make_policy(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::earliest_finish: return std::make_unique<EarliestFinish>();
    case PolicyKind::least_connections: return std::make_unique<LeastConnections>();
    case PolicyKind::least_loaded: return std::make_unique<LeastLoaded>();
    case PolicyKind::round_robin: return std::make_unique<RoundRobin>();
    case PolicyKind::random: return std::make_unique<RandomNode>();
    case PolicyKind::two_choices: return std::make_unique<TwoChoices>();
    case PolicyKind::consistent_hash: return std::make_unique<ConsistentHash>();
    case PolicyKind::gpu_score: return std::make_unique<GpuScore>();
    case PolicyKind::manual: return std::make_unique<Manual>();
  }
  return nullptr;
}

}  // namespace drover::balance
