#include "world/oracles.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/model_name.h"

namespace drover::world {

const balance::Route& Configured::route_of(std::string_view model) const { return routes.of(api::model_key(model)); }

std::vector<fleet::AliasSettings::Share> Configured::models_of(std::string_view name) const {
  const auto alias = std::ranges::find(aliases, name, &fleet::AliasSettings::name);
  return alias == aliases.end() ? std::vector{fleet::AliasSettings::Share{std::string(name)}} : alias->models;
}

std::span<const Configured> Court::settings_since(Mono time) const {
  const auto later = std::ranges::upper_bound(configured, time, {}, &Configured::since);
  return {later - std::min<std::ptrdiff_t>(2, later - configured.begin()), configured.end()};
}

bool Court::may_be_for(const Request& request, std::string_view model) const {
  const std::string key = api::model_key(model);
  return std::ranges::any_of(settings_for(request), [&](const Configured& settings) {
    return std::ranges::any_of(settings.models_of(request.asked.called), [&](const auto& share) {
      return api::model_key(share.model) == key ||
             api::model_key(settings.route_of(share.model).settings.fallback) == key;
    });
  });
}

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
                                 request.asked.called);
  for (const Attempt& attempt : request.attempts) {
    text += fmt::format(" [node {} link {} {} status {} {}B{}{}]", static_cast<char>('a' + attempt.node), attempt.link,
                        attempt.model, attempt.status, attempt.payload.size(), attempt.complete ? " complete" : "",
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
  oracles.push_back(make_evictions(court));
  oracles.push_back(make_models(court));
  oracles.push_back(make_context(court));
  oracles.push_back(make_client_gone(court));
  oracles.push_back(make_deadlines(court));
  oracles.push_back(make_node_bytes(court));
  oracles.push_back(make_fair_shares(court));
  oracles.push_back(make_memory(court));
  oracles.push_back(make_idle_node(court));
  return oracles;
}

}  // namespace drover::world
