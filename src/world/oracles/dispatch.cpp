// No request goes to a node that has not its model, is offline, or was removed by a reload. The last node that can
// serve a model, by its route, is never taken offline for the failures of its requests, and none for what the gateway
// itself lacks.

#include <fmt/format.h>

#include <map>
#include <set>

#include "world/oracles.h"

namespace drover::world {
namespace {

class Dispatch final : public Witness {
 public:
  explicit Dispatch(Court& court) : court_(court) {}

  void attempt_sent(const Request& request, const Attempt& attempt) override {
    if (!court_.held[attempt.node].contains(attempt.model)) {
      court_.complain("dispatch", "to a node that has not its model: " + text_of(request));
    }
  }
  // Between the grant and the first byte lies the dial.
  void attempt_began(const Request& request, const Attempt& attempt) override {
    const Mono now = court_.now();
    const Duration grace = court_.plan.settings.timeouts.connect + court_.slack() + std::chrono::milliseconds(100);
    if (court_.frozen_until + grace > now) return;
    // A stale pooled connection is replaced on the same node, whose slot the request holds already.
    if (request.attempts.size() > 1 && request.attempts[request.attempts.size() - 2].node == attempt.node) return;
    const auto since = offline_since_.find(attempt.node);
    if (since != offline_since_.end() && since->second.time + grace < now)
      suspects_.push_back({&request, attempt.node, since->second.time});
  }

  // What this process lacks says nothing of a node.
  void told(std::string_view event, std::string_view text) override {
    const auto says = [&](std::string_view words) { return text.find(words) != std::string_view::npos; };
    if (event != "node_health" || !says("to=offline") || !says(": system")) return;
    court_.complain("dispatch", fmt::format("offline for a lack of the gateway's own: {}", text));
  }

  void looked(const Look& look) override {
    if (std::exchange(life_, look.life) != look.life) {
      offline_since_.clear();
      before_.clear();
      suspects_.clear();
    }
    std::map<std::size_t, Since> offline;
    for (const auto& node : look.snapshot.nodes) {
      if (node.health != balance::Health::offline && !node.draining) continue;
      const auto index = static_cast<std::size_t>(node.id.value);
      const auto known = offline_since_.find(index);
      if (node.health == balance::Health::offline) {
        offline[index] = {node.since, false};
      } else {  // it drains, and may have been up between two looks
        const bool drained = known != offline_since_.end() && known->second.draining;
        offline[index] = {drained ? known->second.time : look.now, true};
      }
      if (known == offline_since_.end()) judge(look, node);
    }
    offline_since_ = std::move(offline);
    before_ = look.snapshot.nodes;
    // It may have come back just before the request went there; then it is up now.
    for (const Suspect& suspect : std::exchange(suspects_, {})) {
      const auto since = offline_since_.find(suspect.node);
      if (since == offline_since_.end() || since->second.time > suspect.since) continue;
      court_.complain("dispatch",
                      fmt::format("to a node that is offline since {:.3f}: {}",
                                  seconds(since->second.time.time_since_epoch()), text_of(*suspect.request)));
    }
  }

 private:
  // It has gone offline since the last look.
  void judge(const Look& look, const balance::NodeSnapshot& gone) {
    if (gone.why != balance::HealthReason::requests_failed && gone.why != balance::HealthReason::error_ratio) return;
    if (court_.settings().since >= gone.since) return;  // the routes were others when it was decided
    for (const auto& runner : gone.runners) {
      for (const std::string& model : runner.models) {
        if (!served_before(gone, model) || !may_serve(gone, model)) continue;
        if (somebody_else_serves(look, gone, model)) continue;
        court_.complain("dispatch", fmt::format("node {} was the last one with {}, and failed requests took it offline",
                                                gone.id.value, model));
      }
    }
  }

  // A listing may have come since.
  bool served_before(const balance::NodeSnapshot& node, const std::string& model) const {
    const auto then = std::ranges::find(before_, node.id, &balance::NodeSnapshot::id);
    return then != before_.end() && std::ranges::any_of(then->runners, [&](const auto& runner) {
             return std::ranges::find(runner.models, model) != runner.models.end();
           });
  }

  // As far as the model's route is concerned.
  bool may_serve(const balance::NodeSnapshot& node, const std::string& model) const {
    const std::string name = node_name(static_cast<std::size_t>(node.id.value));
    return court_.settings().route_of(model).rank_of(name) != balance::Route::kNoPlace;
  }

  // Or did so a moment ago: looks are not decisions.
  bool somebody_else_serves(const Look& look, const balance::NodeSnapshot& gone, const std::string& model) const {
    return serves_beside(look.snapshot.nodes, gone, model) || serves_beside(before_, gone, model);
  }
  bool serves_beside(const std::vector<balance::NodeSnapshot>& nodes, const balance::NodeSnapshot& gone,
                     const std::string& model) const {
    for (const auto& node : nodes) {
      if (node.id == gone.id || node.draining || !may_serve(node, model)) continue;
      const bool up = node.health != balance::Health::offline || node.since >= gone.since;
      if (!up) continue;
      for (const auto& runner : node.runners) {
        if (std::ranges::find(runner.models, model) != runner.models.end()) return true;
      }
    }
    return false;
  }

  struct Since {
    Mono time;
    bool draining;  // otherwise it is offline
  };
  struct Suspect {
    const Request* request;
    std::size_t node;
    Mono since;
  };

  Court& court_;
  unsigned life_ = 0;
  std::vector<Suspect> suspects_;
  std::map<std::size_t, Since> offline_since_;
  std::vector<balance::NodeSnapshot> before_;  // at the last look
};

}  // namespace

std::unique_ptr<Witness> make_dispatch(Court& court) { return std::make_unique<Dispatch>(court); }

}  // namespace drover::world
