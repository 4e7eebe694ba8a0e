#include "world/oracles.h"

#include <fmt/format.h>

namespace drover::world {

void Court::complain(std::string_view oracle, std::string text) {
  if (first) return;
  trace.note(now(), fmt::format("ORACLE {}: {}", oracle, text));
  first = Complaint{std::string(oracle), std::move(text), now(), trace.events()};
}

Duration Court::slack() const {
  constexpr Duration kTurn = std::chrono::milliseconds(1);
  return plan.network.notice + 2 * plan.network.post + kTurn;
}

std::string text_of(const Request& request) {
  std::string text = fmt::format("{} ({} {} {})", request.asked.id, name(request.asked.habit), request.asked.path,
                                 request.asked.model);
  for (const Attempt& attempt : request.attempts) {
    text += fmt::format(" [node {} link {} status {} {}B{}{}]", static_cast<char>('a' + attempt.node), attempt.link,
                        attempt.status, attempt.payload.size(), attempt.complete ? " complete" : "",
                        attempt.cut ? " cut" : "");
  }
  text += fmt::format(" answer {} {} {}B{}", request.status, request.reason, request.body.size(),
                      request.ended        ? " ended"
                      : request.broken_off ? " broken off"
                                           : "");
  return text + (request.client_gone ? " client gone" : "") + (request.lost ? " lost" : "");
}

std::vector<std::unique_ptr<Witness>> make_oracles(Court& court) {
  std::vector<std::unique_ptr<Witness>> oracles;
  oracles.push_back(make_ends_once(court));
  oracles.push_back(make_one_attempt(court));
  oracles.push_back(make_retry_budget(court));
  oracles.push_back(make_slots(court));
  oracles.push_back(make_dispatch(court));
  oracles.push_back(make_routing(court));
  oracles.push_back(make_context(court));
  oracles.push_back(make_client_gone(court));
  oracles.push_back(make_deadlines(court));
  oracles.push_back(make_node_bytes(court));
  oracles.push_back(make_memory(court));
  oracles.push_back(make_idle_node(court));
  return oracles;
}

}  // namespace drover::world
