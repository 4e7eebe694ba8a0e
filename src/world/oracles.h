#pragma once
// What must always hold (design: "What must always hold"; the numbers are those of the oracles). Each is a witness of
// the ledger that complains when it does not. One file each, under oracles/.

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "balance/route.h"
#include "fleet/alias.h"
#include "world/ledger.h"
#include "world/plan.h"

namespace drover::world {

struct Complaint {
  std::string oracle;
  std::string text;
  Mono at;
  std::uint64_t event;  // of the trace
};

// Settings of the gateway, from a moment on.
struct Configured {
  Configured(Mono at, const balance::SchedulerSettings& settings, std::vector<fleet::AliasSettings> names)
      : since(at), scheduler(settings), routes(settings), aliases(std::move(names)) {}

  Mono since;
  balance::SchedulerSettings scheduler;
  balance::Routes routes;
  std::vector<fleet::AliasSettings> aliases;

  const balance::Route& route_of(std::string_view model) const;
  // With their weights, the models that a name stands for.
  std::vector<fleet::AliasSettings::Share> models_of(std::string_view name) const;
};

// What oracles may know beside the ledger.
struct Court {
  const Plan& plan;
  const Ledger& ledger;
  const Clock& clock;
  Trace& trace;
  Mono frozen_until{};                        // a thread of the gateway gets no processor
  std::vector<std::set<std::string>> held{};  // models, by node
  std::vector<Configured> configured{};       // all settings that the gateway was given
  bool stopping = false;                      // SIGTERM was sent
  bool healed = false;                        // all is repaired, and the settings are patient ones
  std::optional<Complaint> first{};           // later ones are mostly its consequences

  Mono now() const { return clock.mono(); }
  const Configured& settings() const { return configured.back(); }
  // Those in force then, later ones, and those just before, which a worker may not have been told to forget yet.
  std::span<const Configured> settings_since(Mono time) const;
  // By which a request may be judged, whose head may have come in drops.
  std::span<const Configured> settings_for(const Request& request) const {
    return settings_since(request.began - plan.settings.timeouts.head);
  }
  // Whether the request may wait for that model: by its name, or by a fallback.
  bool may_be_for(const Request& request, std::string_view model) const;
  void complain(std::string_view oracle, std::string text);
  // How long news may take to reach a flow of the gateway, beside the network.
  Duration slack() const;
};

std::string text_of(const Request& request);

std::unique_ptr<Witness> make_ends_once(Court& court);     // 1
std::unique_ptr<Witness> make_one_attempt(Court& court);   // 2
std::unique_ptr<Witness> make_retry_budget(Court& court);  // 2
std::unique_ptr<Witness> make_slots(Court& court);         // 3
std::unique_ptr<Witness> make_dispatch(Court& court);      // 3
std::unique_ptr<Witness> make_routing(Court& court);       // 3
std::unique_ptr<Witness> make_evictions(Court& court);     // a model that makes room is idle
std::unique_ptr<Witness> make_models(Court& court);        // a request goes to the model that its name stands for
std::unique_ptr<Witness> make_context(Court& court);       // no request gets less context than it asked for
std::unique_ptr<Witness> make_client_gone(Court& court);   // 4
std::unique_ptr<Witness> make_deadlines(Court& court);     // 5
std::unique_ptr<Witness> make_node_bytes(Court& court);    // 6
std::unique_ptr<Witness> make_fair_shares(Court& court);   // 7
std::unique_ptr<Witness> make_memory(Court& court);        // 9
std::unique_ptr<Witness> make_idle_node(Court& court);     // 10: no request waits while a node could take it
std::vector<std::unique_ptr<Witness>> make_oracles(Court& court);

}  // namespace drover::world
