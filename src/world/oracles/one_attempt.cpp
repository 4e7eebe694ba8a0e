// No attempt starts after a byte of the answer has gone to the client, nor while another one of the same request runs,
// and there are no more than the settings allow. A pooled connection that turned out stale, and a node that began
// nothing, do not count.

#include <fmt/format.h>

#include "world/oracles.h"

namespace drover::world {
namespace {

class OneAttempt final : public Witness {
 public:
  explicit OneAttempt(Court& court) : court_(court) {}

  void attempt_began(const Request& request, const Attempt& attempt) override {
    if (request.first_byte) court_.complain("one_attempt", "an attempt after the first byte: " + text_of(request));
    std::size_t counted = 0;
    for (const Attempt& each : request.attempts) {
      if (&each != &attempt && each.open) {
        court_.complain("one_attempt", "two attempts at once: " + text_of(request));
      }
      const bool stale = each.reused && each.node_left && each.status == 0;
      counted += !stale && !began_nothing(each);
    }
    if (counted > court_.plan.settings.retry.attempts) {
      court_.complain("one_attempt",
                      fmt::format("more than {} attempts: {}", court_.plan.settings.retry.attempts, text_of(request)));
    }
    if (!request.arrived) court_.complain("one_attempt", "an attempt before the request is whole: " + text_of(request));
    std::size_t deaths = 0;
    for (const Attempt& each : request.attempts) {
      if (&each == &attempt) continue;
      deaths += runner_died(each);
      if ((!failed_finally(each) || began_nothing(each)) && deaths < 2) continue;
      court_.complain("one_attempt", "repeated what no other node would do better: " + text_of(request));
    }
  }

 private:
  // Rule R: a node's verdict on the request stands; and where the gateway gave up on a node that had all of the request
  // and was still there, the node may have run it.
  static bool failed_finally(const Attempt& attempt) {
    if (attempt.sent && attempt.cut && !attempt.node_left && !attempt.complete) return true;
    if (!attempt.complete || attempt.status < 400) return false;
    return attempt.status != 404 && attempt.status != 503 && !runner_died(attempt);
  }

  // A slot has leaked there, as far as the gateway could see: it, or another one that ran beside it, had waited in vain
  // for long.
  bool began_nothing(const Attempt& attempt) const {
    if (attempt.status != 0 || !attempt.cut) return false;
    // It had its slot while it dialled, perhaps twice, and while its worker was frozen.
    const config::Timeouts& timeouts = court_.plan.settings.timeouts;
    const Duration frozen = std::chrono::milliseconds(court_.plan.has(Fault::frozen_worker) ? 2'500 : 0);
    const Duration least = timeouts.leaked_slot - 2 * timeouts.connect - court_.slack() - frozen;
    const auto waited = [&](const Attempt& other) {
      const Mono end = other.cut.value_or(court_.now());
      return other.node == attempt.node && other.status == 0 && end >= attempt.began && end - other.began >= least;
    };
    return std::ranges::any_of(court_.ledger.requests(),
                               [&](const Request& request) { return std::ranges::any_of(request.attempts, waited); });
  }

  static bool runner_died(const Attempt& attempt) {
    const auto says = [&](std::string_view words) { return attempt.payload.find(words) != std::string::npos; };
    return attempt.complete && attempt.status == 500 &&
           (says("runner") || says("memory") || says("llama") || says("process") || says("while running the model"));
  }

  Court& court_;
};

}  // namespace

std::unique_ptr<Witness> make_one_attempt(Court& court) { return std::make_unique<OneAttempt>(court); }

}  // namespace drover::world
