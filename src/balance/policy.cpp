#include "balance/policy.h"

#include "balance/least_connections.h"
#include "balance/round_robin.h"

namespace drover::balance {

std::string_view name(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::round_robin: return "round_robin";
    case PolicyKind::least_connections: return "least_connections";
  }
  return "";
}

std::optional<PolicyKind> policy_kind(std::string_view text) {
  for (const auto kind : {PolicyKind::round_robin, PolicyKind::least_connections}) {
    if (text == name(kind)) return kind;
  }
  return std::nullopt;
}

std::unique_ptr<Policy> make_policy(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::round_robin: return std::make_unique<RoundRobin>();
    case PolicyKind::least_connections: return std::make_unique<LeastConnections>();
  }
  return nullptr;
}

}  // namespace drover::balance
