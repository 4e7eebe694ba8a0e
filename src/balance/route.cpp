#include "balance/route.h"

#include <algorithm>

#include "api/model_pattern.h"

namespace drover::balance {

std::size_t Route::rank_of(std::string_view node) const {
  if (settings.nodes.empty()) return 0;
  const auto found = std::ranges::find(settings.nodes, node);
  return found == settings.nodes.end() ? kNoPlace : static_cast<std::size_t>(found - settings.nodes.begin());
}

Routes::Routes(const SchedulerSettings& settings) {
  for (const RouteSettings& route : settings.routes) {
    routes_.emplace_back(route);
  }
  routes_.emplace_back(
      RouteSettings{.model = "*", .policy = settings.policy, .nodes = {}, .gpu_percent = settings.gpu_percent});
}

const Route& Routes::of(std::string_view model) const {
  const auto fits = [&](const Route& route) { return api::fits_pattern(model, route.settings.model); };
  const auto found = std::find_if(routes_.begin(), routes_.end() - 1, fits);
  return *found;
}

bool Routes::estimates() const { return std::ranges::any_of(routes_, &Route::estimates); }

}  // namespace drover::balance
