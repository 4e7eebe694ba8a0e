// A request goes only to nodes that its model's route names; by the policy `manual` to the first of them that can be
// used. A new route holds from the next decision on.

#include <fmt/format.h>

#include <map>
#include <utility>

#include "api/model_name.h"
#include "world/oracles.h"

namespace drover::world {
namespace {

class Routing final : public Witness {
 public:
  explicit Routing(Court& court) : court_(court) {}

  // Between the decision and the first byte lies the dial.
  void attempt_began(const Request& request, const Attempt& attempt) override {
    const Mono now = court_.now();
    const Duration grace = court_.plan.settings.timeouts.connect + court_.slack() + std::chrono::milliseconds(100);
    if (std::max(court_.routed_since, court_.frozen_until) + grace > now) return;
    // A stale pooled connection is replaced on the same node, whose slot the request holds already.
    if (request.attempts.size() > 1 && request.attempts[request.attempts.size() - 2].node == attempt.node) return;
    const std::string model = api::model_key(request.asked.model);
    const balance::Route& route = court_.routes->of(model);
    const std::size_t rank = route.rank_of(node_name(attempt.node));
    if (rank == balance::Route::kNoPlace) {
      court_.complain("routing", "to a node that its route does not name: " + text_of(request));
    }
    if (route.settings.policy != balance::PolicyKind::manual) return;
    for (const auto& [where, since] : usable_since_) {
      const auto& [node, served] = where;
      const bool preferred = route.rank_of(node_name(node)) < rank;
      if (!preferred || served != model || since + grace > now || was_at(request, node)) continue;
      suspicions_.push_back({&request, where, since,
                             fmt::format("to node {}, and {} could be used since {:.3f}", node_name(attempt.node),
                                         node_name(node), seconds(since.time_since_epoch()))});
    }
  }

  void looked(const Look& look) override {
    std::map<Where, Mono> usable;
    for (const auto& node : look.snapshot.nodes) {
      if (node.health == balance::Health::offline || node.draining) continue;
      for (const auto& runner : node.runners) {
        for (const std::string& model : runner.models) {
          const Where where{static_cast<std::size_t>(node.id.value), model};
          const auto known = usable_since_.find(where);
          usable[where] = known == usable_since_.end() ? look.now : std::max(known->second, node.since);
        }
      }
    }
    usable_since_ = std::move(usable);
    // It may have gone just before the request did not go there; then it is not usable now.
    const auto was_gone = [&](Suspicion& each) {
      const auto now = usable_since_.find(each.where);
      return !std::exchange(each.looked_at, true) && (now == usable_since_.end() || now->second > each.since);
    };
    std::erase_if(suspicions_, [&](Suspicion& each) { return was_gone(each) || judge(each); });
  }

 private:
  using Where = std::pair<std::size_t, std::string>;  // node and model
  struct Suspicion {
    const Request* request;
    Where where;
    Mono since;
    std::string text;
    bool looked_at = false;  // once more, since
  };

  static bool was_at(const Request& request, std::size_t node) {
    return std::ranges::find(request.attempts, node, &Attempt::node) != request.attempts.end();
  }

  // Only its line tells whether it had been at the preferred node and did not reach it. True: it is settled.
  bool judge(const Suspicion& suspicion) {
    const Request& request = *suspicion.request;
    if (request.lost) return true;
    if (request.lines.empty()) return false;
    if (request.lines.front().value("drover.attempts", 0U) == request.attempts.size()) {
      court_.complain("routing", suspicion.text + ": " + text_of(request));
    }
    return true;
  }

  Court& court_;
  std::map<Where, Mono> usable_since_;
  std::vector<Suspicion> suspicions_;
};

}  // namespace

std::unique_ptr<Witness> make_routing(Court& court) { return std::make_unique<Routing>(court); }

}  // namespace drover::world
