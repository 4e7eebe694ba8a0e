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

  void request_arrived(const Request&) override {
    for (Verdict& each : verdicts_) {
      if (court_.now() <= admitted_by(each)) each.most_active = std::max(each.most_active, most_active());
    }
  }
  void attempt_began(const Request& request, const Attempt& attempt) override {
    if (request.attempts.size() < 2 || !counts(request.attempts[request.attempts.size() - 2])) return;
    const auto verdict = std::ranges::find(verdicts_, &request, &Verdict::request);
    if (verdict == verdicts_.end()) return;
    retries_.push_back(
        {&request, attempt.began, verdict->at, std::min(attempt.began, admitted_by(*verdict)), verdict->most_active});
    verdicts_.erase(verdict);
  }
  void attempt_ended(const Request& request, const Attempt& attempt) override {
    cut_later_ -= !request.lines.empty();
    for (Retry& retry : retries_) {
      if (retry.request == &request && retry.began == attempt.began) retry.ended = court_.now();
    }
    if (counts(attempt)) verdicts_.push_back({&request, court_.now(), most_active()});
  }
  void logged(const Request& request) override {
    cut_later_ += static_cast<std::size_t>(std::ranges::count_if(request.attempts, &Attempt::open));
    std::erase_if(verdicts_, [&](const Verdict& each) { return each.request == &request; });
  }

  // Only now is it known which of them were what they seem: an attempt that met no node leaves no trace on the wire,
  // and a retry after it does not count.
  void at_rest() override {
    const auto& rules = court_.plan.settings.retry;
    std::erase_if(retries_, [](const Retry& retry) { return !all_seen(*retry.request) || fell_back(retry); });
    for (const Retry& retry : retries_) {
      const std::size_t limit =
          std::max<std::size_t>(rules.budget_floor, retry.most_active * rules.budget_percent / 100);
      // Others that were surely admitted when it was, and surely not over.
      const auto others = static_cast<std::size_t>(std::ranges::count_if(retries_, [&](const Retry& other) {
        return other.request->life == retry.request->life && other.began < retry.verdict &&
               other.ended > retry.admitted_by;
      }));
      if (others + 1 <= limit) continue;
      court_.complain("retry_budget", fmt::format("{} retries at once, {} may be, of {} requests at most: {}",
                                                  others + 1, limit, retry.most_active, text_of(*retry.request)));
    }
  }

 private:
  // An attempt was answered in a way that leads to a retry that counts; it has not begun yet.
  struct Verdict {
    const Request* request;
    Mono at;
    std::size_t most_active;
  };
  struct Retry {
    const Request* request;
    Mono began;
    Mono verdict;
    Mono admitted_by;
    std::size_t most_active;  // requests when it was admitted
    Mono ended = kNever;
  };

  Mono admitted_by(const Verdict& verdict) const { return std::max(verdict.at, court_.frozen_until) + court_.slack(); }
  // The gateway counts a request from somewhere behind its head until its node is free of it, which may be a moment
  // after its line in the log.
  std::size_t most_active() const { return court_.ledger.open() + cut_later_; }

  // The answers after which rule R tries another node.
  static bool counts(const Attempt& attempt) {
    return attempt.complete && (attempt.status == 404 || attempt.status == 500);
  }
  // It began anew, with another model.
  static bool fell_back(const Retry& retry) {
    const auto& attempts = retry.request->attempts;
    const auto attempt = std::ranges::find(attempts, retry.began, &Attempt::began);
    return attempt != attempts.begin() && attempt->model != std::prev(attempt)->model;
  }
  static bool all_seen(const Request& request) {
    return !request.lines.empty() && request.lines.front().value("drover.attempts", 0U) == request.attempts.size();
  }

  Court& court_;
  std::size_t cut_later_ = 0;  // attempts that outlive their line
  std::vector<Verdict> verdicts_;
  std::vector<Retry> retries_;
};

}  // namespace

std::unique_ptr<Witness> make_retry_budget(Court& court) { return std::make_unique<RetryBudget>(court); }

}  // namespace drover::world
