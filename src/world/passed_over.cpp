#include "world/passed_over.h"

#include <algorithm>

namespace drover::world {

void PassedOver::suspect(const Request& request, const Where& where, std::string text) {
  if (std::ranges::find(request.attempts, where.first, &Attempt::node) != request.attempts.end()) return;
  suspicions_.push_back({&request, where, usable_since_.at(where), std::move(text)});
}

void PassedOver::looked(const Look& look) {
  std::map<Where, Mono> usable;
  for (const auto& node : look.snapshot.nodes) {
    if (node.health == balance::Health::offline || node.draining) continue;
    for (const auto& runner : node.runners) {
      if (resident_ && !runner.resident) continue;
      for (const std::string& model : runner.models) {
        const Where where{static_cast<std::size_t>(node.id.value), model};
        const auto known = usable_since_.find(where);
        // A listing of nothing may have come and gone between two looks.
        const Mono least = std::max(node.since, court_.ledger.listed_nothing(where.first));
        usable[where] = known == usable_since_.end() ? look.now : std::max(known->second, least);
      }
    }
  }
  usable_since_ = std::move(usable);
  std::erase_if(suspicions_, [&](Suspicion& each) { return was_gone(each) || judge(each); });
}

// At the first look behind the decision.
bool PassedOver::was_gone(Suspicion& suspicion) {
  const auto now = usable_since_.find(suspicion.where);
  return !std::exchange(suspicion.looked_at, true) && (now == usable_since_.end() || now->second > suspicion.since);
}

// True: it is settled.
bool PassedOver::judge(const Suspicion& suspicion) {
  const Request& request = *suspicion.request;
  if (request.lost) return true;
  if (request.lines.empty()) return false;
  if (request.lines.front().value("drover.attempts", 0U) == request.attempts.size()) {
    court_.complain(oracle_, suspicion.text + ": " + text_of(request));
  }
  return true;
}

}  // namespace drover::world
