// In flight on a node, for one model, are never more requests than it has slots; at rest none.

#include <fmt/format.h>

#include <map>

#include "world/oracles.h"

namespace drover::world {
namespace {

constexpr unsigned kMostFoundOut = 16;  // slots that the gateway finds out by itself: balance::SlotSetting::most

class Slots final : public Witness {
 public:
  explicit Slots(Court& court) : court_(court) {}

  void attempt_sent(const Request& request, const Attempt& attempt) override {
    const unsigned limit = court_.plan.slots > 0 ? court_.plan.slots : kMostFoundOut;
    const unsigned busy = ++busy_[{attempt.node, attempt.model}];
    if (busy > limit) {
      court_.complain("slots", fmt::format("{} at once on {} slots: {}", busy, limit, text_of(request)));
    }
  }
  void attempt_ended(const Request&, const Attempt& attempt) override {
    if (attempt.sent) --busy_[{attempt.node, attempt.model}];
  }
  void looked(const Look& look) override {
    for (const auto& node : look.snapshot.nodes) {
      for (const auto& runner : node.runners) {
        if (court_.plan.slots > 0 && runner.in_flight > runner.slots) {
          court_.complain("slots", fmt::format("node {} counts {} in flight on {} slots", node.id.value,
                                               runner.in_flight, runner.slots));
        }
      }
    }
  }
  void at_rest() override {
    for (const auto& [where, busy] : busy_) {
      if (busy > 0)
        court_.complain("slots", fmt::format("{} still run {} on node {}", busy, where.second, where.first));
    }
  }

 private:
  Court& court_;
  std::map<std::pair<std::size_t, std::string>, unsigned> busy_;
};

}  // namespace

std::unique_ptr<Witness> make_slots(Court& court) { return std::make_unique<Slots>(court); }

}  // namespace drover::world
