#pragma once
// Which policy decides for a model, and among which nodes.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "balance/policy.h"
#include "balance/settings.h"

namespace drover::balance {

struct Route {
  static constexpr std::size_t kNoPlace = static_cast<std::size_t>(-1);

  explicit Route(const RouteSettings& route_settings)
      : settings(route_settings), policy(make_policy(settings.policy)), estimates(policy->estimates()) {}

  RouteSettings settings;
  std::unique_ptr<Policy> policy;
  bool estimates;  // Policy::estimates, which is asked many times a decision

  // Where a node stands among those of the route, from 0; kNoPlace: it is none of them.
  std::size_t rank_of(std::string_view node) const;
};

// Addresses last as long as the object.
class Routes {
 public:
  explicit Routes(const SchedulerSettings& settings);

  // Whether some policy decides by estimates.
  bool estimates() const;
  // The first that fits the model; the last one fits all.
  const Route& of(std::string_view model) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace drover::balance
