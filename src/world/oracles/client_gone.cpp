// A client that leaves frees its node: the connection there is closed at the later of one turn of the loop and 20 ms of
// the request's age on the node, no sooner and no later. A request that left the queue reaches no node.

#include <fmt/format.h>

#include <algorithm>

#include "world/oracles.h"

namespace drover::world {
namespace {

constexpr Duration kMinimumRun = std::chrono::milliseconds(20);  // gateway::GatewaySettings::minimum_run

class ClientGone final : public Witness {
 public:
  explicit ClientGone(Court& court) : court_(court) {}

  void request_arrived(const Request& request) override { open_.push_back(&request); }
  void client_gone(const Request& request) override {
    if (request.arrived) gone_.push_back(&request);
  }

  void attempt_began(const Request& request, const Attempt& attempt) override {
    if (request.client_gone && *request.client_gone + court_.slack() < attempt.began &&
        !frozen_since(*request.client_gone)) {
      court_.complain("client_gone", "an attempt for a client that had left: " + text_of(request));
    }
  }

  void attempt_ended(const Request& request, const Attempt& attempt) override {
    if (!attempt.cut || !request.client_gone || attempt.node_left) return;
    if (court_.ledger.crashing() || court_.stopping) return;
    // Counted from its first byte, which left before the last: the gateway counts from that one.
    const bool early = attempt.sent && *attempt.cut < attempt.began + kMinimumRun;
    const bool late = *attempt.cut > due(request, attempt) && !frozen_since(*request.client_gone);
    if (!early && !late) return;
    court_.complain("client_gone",
                    fmt::format("cut {:.3f} ms after its first byte, {:.3f} ms after its client left: {}",
                                seconds(*attempt.cut - attempt.began) * 1e3,
                                seconds(*attempt.cut - *request.client_gone) * 1e3, text_of(request)));
  }

  void looked(const Look& look) override {
    std::erase_if(gone_, [&](const Request* request) { return is_settled(*request, look.now); });
    std::erase_if(open_, [](const Request* request) { return request->lost || !request->lines.empty(); });
    if (frozen_since(look.now)) return;
    const auto here = static_cast<std::size_t>(std::ranges::count_if(open_, [&](const Request* request) {
      return request->client_gone.value_or(look.now) + court_.slack() >= look.now;
    }));
    if (look.snapshot.waiting <= here) return;
    court_.complain("client_gone", fmt::format("{} requests wait, of clients of which {} are still there",
                                               look.snapshot.waiting, here));
  }

 private:
  bool is_settled(const Request& request, Mono now) {
    if (request.lost || (!request.lines.empty() && request.attempts.empty())) return true;
    if (request.attempts.empty()) return false;
    const Attempt& attempt = request.attempts.back();
    if (!attempt.open) return !request.lines.empty();
    if (due(request, attempt) >= now || frozen_since(*request.client_gone)) return false;
    court_.complain("client_gone", "the client is gone and the node still works: " + text_of(request));
    return true;
  }
  // Of a request that is still on its way the gateway need not know how much the node has.
  Mono due(const Request& request, const Attempt& attempt) const {
    const Mono gone = *request.client_gone;
    return (attempt.sent ? std::max(gone, *attempt.sent + kMinimumRun) : gone + kMinimumRun) + court_.slack();
  }
  bool frozen_since(Mono time) const {
    return court_.frozen_until + court_.slack() >= time && court_.frozen_until + court_.slack() > court_.now();
  }

  Court& court_;
  std::vector<const Request*> open_;  // arrived, and not in the log
  std::vector<const Request*> gone_;
};

}  // namespace

std::unique_ptr<Witness> make_client_gone(Court& court) { return std::make_unique<ClientGone>(court); }

}  // namespace drover::world
