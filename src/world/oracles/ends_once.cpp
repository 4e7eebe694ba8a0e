// Each request that the gateway accepted ends exactly once, with one line in the access log, and the line tells what
// the client saw.

#include <fmt/format.h>

#include "world/oracles.h"

namespace drover::world {
namespace {

class EndsOnce final : public Witness {
 public:
  explicit EndsOnce(Court& court) : court_(court) {}

  void logged(const Request& request) override {
    if (request.lines.size() > 1) court_.complain("ends_once", "two lines in the access log: " + text_of(request));
    const Json& line = request.lines.front();
    const std::string outcome = request.outcome();
    const std::uint64_t attempts = line.value("drover.attempts", 0U);
    if (attempts < request.attempts.size()) {
      court_.complain("ends_once", fmt::format("the line tells of {} attempts: {}", attempts, text_of(request)));
    }
    // Loads, unloads and shows go over connections of their own.
    const bool through_control =
        request.asked.kind == Asked::Kind::command || request.asked.kind == Asked::Kind::listing;
    if (outcome == "ok" && request.relayed && request.attempts.empty() && !through_control) {
      court_.complain("ends_once", "a node's answer without an attempt: " + text_of(request));
    }
    if (!request.attempts.empty() && attempts == request.attempts.size() && line.contains("drover.node")) {
      const std::string node(1, static_cast<char>('a' + request.attempts.back().node));
      if (line["drover.node"] != node) {
        court_.complain("ends_once",
                        fmt::format("the line names node {}: {}", line["drover.node"].dump(), text_of(request)));
      }
    }
  }

  void answer_ended(const Request& request) override {
    if (request.ended && request.broken_off) court_.complain("ends_once", "ended twice: " + text_of(request));
  }

  void at_rest() override {
    for (const Request& request : court_.ledger.requests()) judge(request);
  }

 private:
  void judge(const Request& request) {
    if (request.lost) return;
    const std::string outcome = request.outcome();
    if (outcome.empty()) {
      // A connection may be closed as idle in the moment in which a request arrives; nobody has read that one.
      if (request.turned_away) return;  // it was never accepted
      if (request.first_byte || !request.attempts.empty()) {
        court_.complain("ends_once", "no line in the access log: " + text_of(request));
      } else if (request.arrived && !request.client_gone && !request.broken_off) {
        court_.complain("ends_once", "never answered: " + text_of(request));
      }
      return;
    }
    const bool stayed = !request.client_gone && !request.link_broken;
    if (request.ended && (outcome == "cancelled")) {
      court_.complain("ends_once", "answered whole, and logged as cancelled: " + text_of(request));
    }
    if (outcome == "cancelled" && stayed && !request.broken_off) {
      court_.complain("ends_once", "logged as cancelled, and the client never left: " + text_of(request));
    }
    if (request.lines.front().value("drover.reason", "") == "client_left" && stayed) {
      court_.complain("ends_once", "logged as left by its client, who stayed: " + text_of(request));
    }
    if (outcome == "ok" && stayed && !request.ended) {
      court_.complain("ends_once", "logged as ok, and the answer is not whole: " + text_of(request));
    }
    if (request.ended && request.relayed && request.status == 200 && outcome != "ok" && outcome != "truncated") {
      court_.complain("ends_once",
                      fmt::format("a node's whole answer, and logged as {}: {}", outcome, text_of(request)));
    }
    if (outcome == "ok" && request.relayed && request.ended &&
        request.lines.front().value("http.response.body.bytes", 0U) != request.body.size()) {
      court_.complain("ends_once", "the line counts other bytes than were sent: " + text_of(request));
    }
    if ((outcome == "refused" || outcome == "failed") && request.status == 200 && request.ended) {
      court_.complain("ends_once", "answered 200, and logged as " + outcome + ": " + text_of(request));
    }
  }

  Court& court_;
};

}  // namespace

std::unique_ptr<Witness> make_ends_once(Court& court) { return std::make_unique<EndsOnce>(court); }

}  // namespace drover::world
