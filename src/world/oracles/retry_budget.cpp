// Retries that count are never more than their share of the active requests, or the floor. Those whose node was lost or
// busy loading do not count: rule R.

#include <fmt/format.h>

#include <algorithm>

#include "world/oracles.h"

namespace drover::world {
namespace {

class RetryBudget final : public Witness {
 public:
  explicit RetryBudget(Court& court) : court_(court) {}

  void request_arrived(const Request&) override { most_open_ = std::max(most_open_, court_.ledger.open()); }
  void attempt_began(const Request& request, const Attempt& attempt) override {
    if (is_budgeted(request)) retries_.push_back({&request, attempt.began});
  }
  void attempt_ended(const Request& request, const Attempt& attempt) override {
    for (Retry& retry : retries_) {
      if (retry.request == &request && retry.began == attempt.began) retry.ended = court_.now();
    }
  }

  // Only now is it known which of them were what they seem: an attempt that met no node leaves no trace on the wire,
  // and a retry after it does not count.
  void at_rest() override {
    // Who was active when one was admitted, the gateway alone knows; never more than there ever were at once.
    const auto& rules = court_.plan.settings.retry;
    const std::size_t limit = std::max<std::size_t>(rules.budget_floor, most_open_ * rules.budget_percent / 100);
    std::erase_if(retries_, [](const Retry& retry) { return !all_seen(*retry.request); });
    for (const Retry& retry : retries_) {
      const auto at_once = static_cast<std::size_t>(std::ranges::count_if(retries_, [&](const Retry& other) {
        return other.request->life == retry.request->life && other.began <= retry.began && other.ended > retry.began;
      }));
      if (at_once <= limit) continue;
      court_.complain("retry_budget", fmt::format("{} retries ran at once, {} may, of {} requests at most: {}", at_once,
                                                  limit, most_open_, text_of(*retry.request)));
    }
  }

 private:
  struct Retry {
    const Request* request;
    Mono began;
    Mono ended = kNever;
  };

  // The attempt before was answered by a verdict that counts.
  static bool is_budgeted(const Request& request) {
    if (request.attempts.size() < 2) return false;
    const Attempt& before = request.attempts[request.attempts.size() - 2];
    return before.complete && (before.status == 404 || before.status == 500);
  }
  static bool all_seen(const Request& request) {
    return !request.lines.empty() && request.lines.front().value("drover.attempts", 0U) == request.attempts.size();
  }

  Court& court_;
  std::size_t most_open_ = 0;
  std::vector<Retry> retries_;
};

}  // namespace

std::unique_ptr<Witness> make_retry_budget(Court& court) { return std::make_unique<RetryBudget>(court); }

}  // namespace drover::world
