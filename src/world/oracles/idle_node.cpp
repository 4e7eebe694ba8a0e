// No request waits while a node could take it: for a second on end there was somebody in the line of a model, and
// a node among those that its route may choose is stable, has it in memory, and has a free slot.

#include <fmt/format.h>

#include <map>

#include "world/oracles.h"

namespace drover::world {
namespace {

class IdleNode final : public Witness {
 public:
  explicit IdleNode(Court& court) : court_(court) {}

  void looked(const Look& look) override {
    std::map<std::string, Mono> idle;
    for (const auto& model : look.snapshot.models) {
      if (model.waiting == 0 || !could_run(look, model.model)) continue;
      const auto known = since_.find(model.model);
      const Mono since = known == since_.end() ? look.now : known->second;
      idle[model.model] = since;
      const Mono oldest = model.oldest.value_or(look.now);
      const Mono free_since = std::max({since, oldest, court_.frozen_until, court_.settings().since});
      if (look.now - free_since <= patience(model.model) || !only_plain(model.model)) continue;
      suspicions_.push_back({fmt::format("{} requests waited for {} since {:.3f}, and a node was free", model.waiting,
                                         model.model, seconds(since.time_since_epoch())),
                             waiting_for(model.model)});
      idle.erase(model.model);
    }
    since_ = std::move(idle);
    std::erase_if(suspicions_, [&](const Suspicion& each) { return judge(each); });
  }

 private:
  // A recovering neighbour, a load that ends, a tick: none takes so long.
  static constexpr Duration kAtOnce = std::chrono::seconds(1);

  // A policy that estimates may wait for a better node on purpose, for so long.
  Duration patience(const std::string& model) const {
    const bool may_wait = court_.settings().route_of(model).policy->estimates();
    return kAtOnce + (may_wait ? court_.settings().scheduler.spill_delay : Duration{0});
  }

  bool could_run(const Look& look, const std::string& model) const {
    const balance::Route& route = court_.settings().route_of(model);
    const std::size_t first = first_rank(look, model, route);
    for (const auto& node : look.snapshot.nodes) {
      if (!may_choose(node, route, first)) continue;
      if (node.health != balance::Health::stable || node.draining || node.loading || node.load_saturated) continue;
      for (const auto& runner : node.runners) {
        const bool as_wanted = runner.need.value_or(balance::LoadNeed{}) == balance::LoadNeed{};
        if (!runner.resident || runner.leaked || !as_wanted || runner.in_flight >= runner.slots) continue;
        if (std::ranges::find(runner.models, model) != runner.models.end()) return true;
      }
    }
    return false;
  }

  static std::size_t rank(const balance::NodeSnapshot& node, const balance::Route& route) {
    return route.rank_of(node_name(static_cast<std::size_t>(node.id.value)));
  }
  // Of the nodes that can be used at all for the model.
  static std::size_t first_rank(const Look& look, const std::string& model, const balance::Route& route) {
    std::size_t first = balance::Route::kNoPlace;
    for (const auto& node : look.snapshot.nodes) {
      if (node.health == balance::Health::offline || node.draining) continue;
      const bool serves = std::ranges::any_of(node.runners, [&](const auto& runner) {
        return std::ranges::find(runner.models, model) != runner.models.end();
      });
      if (serves) first = std::min(first, rank(node, route));
    }
    return first;
  }
  static bool may_choose(const balance::NodeSnapshot& node, const balance::Route& route, std::size_t first) {
    const bool manual = route.settings.policy == balance::PolicyKind::manual;
    return manual ? rank(node, route) == first : rank(node, route) != balance::Route::kNoPlace;
  }

  struct Suspicion {
    std::string text;
    std::vector<const Request*> who;
  };

  // Only its line tells whether a request had been at a node that it could not reach: that one it would not have
  // tried again. True: the suspicion is settled.
  bool judge(const Suspicion& suspicion) {
    const auto has_ended = [](const Request* request) { return request->lost || !request->lines.empty(); };
    if (!std::ranges::all_of(suspicion.who, has_ended)) return false;
    const auto was_seen = [](const Request* request) {
      return !request->lost && request->lines.front().value("drover.attempts", 0U) == request->attempts.size();
    };
    if (std::ranges::all_of(suspicion.who, was_seen)) court_.complain("idle_node", suspicion.text);
    return true;
  }

  // Those that may stand in its line: nobody answers them yet, as far as connections show.
  std::vector<const Request*> waiting_for(const std::string& model) const {
    std::vector<const Request*> who;
    for (const Request& request : court_.ledger.requests()) {
      const bool runs = !request.attempts.empty() && request.attempts.back().open;
      if (!request.lines.empty() || request.lost || request.first_byte || runs) continue;
      if (court_.may_be_for(request, model)) who.push_back(&request);
    }
    return who;
  }
  // Who waits has not been anywhere yet, as far as connections show, and wants no options of its own: any node would
  // do.
  bool only_plain(const std::string& model) const {
    return std::ranges::all_of(waiting_for(model), [](const Request* request) {
      return request->asked.num_ctx == 0 && request->attempts.empty();
    });
  }

  Court& court_;
  std::map<std::string, Mono> since_;
  std::vector<Suspicion> suspicions_;
};

}  // namespace

std::unique_ptr<Witness> make_idle_node(Court& court) { return std::make_unique<IdleNode>(court); }

}  // namespace drover::world
