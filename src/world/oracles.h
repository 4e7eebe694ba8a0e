#pragma once
// What must always hold (design: "What must always hold"; the numbers are those of the oracles). Each is a witness of
// the ledger that complains when it does not. One file each, under oracles/.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "balance/route.h"
#include "world/ledger.h"
#include "world/plan.h"

namespace drover::world {

struct Complaint {
  std::string oracle;
  std::string text;
  Mono at;
  std::uint64_t event;  // of the trace
};

// What oracles may know beside the ledger.
struct Court {
  const Plan& plan;
  const Ledger& ledger;
  const Clock& clock;
  Trace& trace;
  Mono frozen_until{};                        // a thread of the gateway gets no processor
  std::vector<std::set<std::string>> held{};  // models, by node
  balance::SchedulerSettings scheduler{};     // as the gateway was last told
  std::unique_ptr<balance::Routes> routes{};  // of these settings
  Mono routed_since{};
  bool stopping = false;             // SIGTERM was sent
  bool healed = false;               // all is repaired, and the settings are patient ones
  std::optional<Complaint> first{};  // later ones are mostly its consequences

  Mono now() const { return clock.mono(); }
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
std::unique_ptr<Witness> make_context(Court& court);       // no request gets less context than it asked for
std::unique_ptr<Witness> make_client_gone(Court& court);   // 4
std::unique_ptr<Witness> make_deadlines(Court& court);     // 5
std::unique_ptr<Witness> make_node_bytes(Court& court);    // 6
std::unique_ptr<Witness> make_memory(Court& court);        // 9
std::unique_ptr<Witness> make_idle_node(Court& court);     // 10: no request waits while a node could take it
std::vector<std::unique_ptr<Witness>> make_oracles(Court& court);

}  // namespace drover::world
