// No request waits while a node could take it: for three seconds on end there was somebody in the line of a model whose
// node is stable, has it in memory, and has a free slot.

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
      if (look.now - std::max({since, oldest, court_.frozen_until}) > kPatience && only_plain(model.model)) {
        court_.complain("idle_node", fmt::format("{} requests wait for {} since {:.3f}, and a node is free",
                                                 model.waiting, model.model, seconds(since.time_since_epoch())));
      }
    }
    since_ = std::move(idle);
  }

 private:
  static constexpr Duration kPatience = std::chrono::seconds(3);

  static bool could_run(const Look& look, const std::string& model) {
    for (const auto& node : look.snapshot.nodes) {
      if (node.health != balance::Health::stable || node.draining || node.loading || node.load_saturated) continue;
      for (const auto& runner : node.runners) {
        const bool as_wanted = runner.need.value_or(balance::LoadNeed{}) == balance::LoadNeed{};
        if (!runner.resident || !as_wanted || runner.in_flight >= runner.slots) continue;
        if (std::ranges::find(runner.models, model) != runner.models.end()) return true;
      }
    }
    return false;
  }

  // Who waits has not been anywhere yet, and wants no options of its own: any node would do.
  bool only_plain(const std::string& model) const {
    for (const Request& request : court_.ledger.requests()) {
      if (!request.lines.empty() || request.lost || !model.ends_with("/" + request.asked.model)) continue;
      if (!request.asked.plain_options || !request.attempts.empty()) return false;
    }
    return true;
  }

  Court& court_;
  std::map<std::string, Mono> since_;
};

}  // namespace

std::unique_ptr<Witness> make_idle_node(Court& court) { return std::make_unique<IdleNode>(court); }

}  // namespace drover::world
