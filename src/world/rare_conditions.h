#pragma once
// Conditions that are rare in life and must not be rare here: a campaign that never met one has proved nothing about
// it. They are read from the ledger, the access log and the gateway's log, so that the gateway's own code carries no
// probes.

#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include "world/oracles.h"

namespace drover::world {

struct RareCondition {
  std::string_view name;
  std::string_view meaning;
};
std::span<const RareCondition> rare_conditions();

class RareConditions final : public Witness {
 public:
  explicit RareConditions(const Court& court) : court_(court), plan_(court.plan) {}

  // How often each was met; those that were not are absent.
  const std::map<std::string_view, std::uint64_t>& met() const { return met_; }

  void request_arrived(const Request& request) override;
  void attempt_began(const Request& request, const Attempt& attempt) override;
  void attempt_ended(const Request& request, const Attempt& attempt) override;
  void answer_began(const Request& request) override;
  void answer_ended(const Request& request) override;
  void logged(const Request& request) override;
  void told(std::string_view event, std::string_view line) override;
  void struck(Fault fault) override;
  void looked(const Look& look) override;

 private:
  static bool waits(const Look& look, const std::string& model);
  bool tenants_compete();
  bool waits_by_choice(const Look& look, const balance::ModelSnapshot& model) const;
  void meet(std::string_view name);
  void meet_if(bool condition, std::string_view name) {
    if (condition) meet(name);
  }

  const Court& court_;
  const Plan& plan_;
  std::map<std::string_view, std::uint64_t> met_;
  std::size_t streams_ = 0;                                   // answers that have begun and not ended
  std::size_t waiting_ = 0;                                   // at the last look
  std::set<std::pair<std::uint64_t, std::string>> resident_;  // node and model, at the last look
  std::vector<const Request*> crowd_;                         // requests of crowds that no node has yet
  bool stopping_ = false;
  unsigned life_ = 0;  // of the gateway, at the last look
  std::vector<std::uint64_t> name_lookups_;
};

}  // namespace drover::world
