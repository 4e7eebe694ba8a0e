// A request goes only to nodes that its model's route names; by the policy `manual` to the first of them that can be
// used. A new route holds from the next decision on.

#include <fmt/format.h>

#include "api/model_name.h"
#include "world/passed_over.h"

namespace drover::world {
namespace {

class Routing final : public Witness {
 public:
  explicit Routing(Court& court) : court_(court) {}

  // Between the decision and the first byte lies the dial.
  void attempt_sent(const Request& request, const Attempt& attempt) override {
    const Configured& settings = court_.settings();
    const Duration grace = court_.plan.settings.timeouts.connect + court_.slack() + std::chrono::milliseconds(100);
    if (std::max(settings.since, court_.frozen_until) + grace > attempt.began) return;
    // A stale pooled connection is replaced on the same node, whose slot the request holds already.
    if (request.attempts.size() > 1 && request.attempts[request.attempts.size() - 2].node == attempt.node) return;
    const balance::Route& route = settings.route_of(attempt.model);
    const std::size_t rank = route.rank_of(node_name(attempt.node));
    if (rank == balance::Route::kNoPlace) {
      court_.complain("routing", "to a node that its route does not name: " + text_of(request));
    }
    if (route.settings.policy != balance::PolicyKind::manual) return;
    const std::string model = api::model_key(attempt.model);
    for (const auto& [where, since] : preferred_.usable_since()) {
      if (route.rank_of(node_name(where.first)) >= rank || where.second != model || since + grace > attempt.began) {
        continue;
      }
      preferred_.suspect(request, where,
                         fmt::format("to node {}, and {} could be used since {:.3f}", node_name(attempt.node),
                                     node_name(where.first), seconds(since.time_since_epoch())));
    }
  }

  void looked(const Look& look) override { preferred_.looked(look); }

 private:
  Court& court_;
  PassedOver preferred_{court_, "routing", false};
};

}  // namespace

std::unique_ptr<Witness> make_routing(Court& court) { return std::make_unique<Routing>(court); }

}  // namespace drover::world
