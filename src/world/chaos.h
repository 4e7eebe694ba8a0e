#pragma once
// What goes wrong, over time: each kind of fault of the plan strikes by its own clock, until all is healed.

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/sim_world.h"
#include "net/task.h"
#include "world/ledger.h"
#include "world/names.h"
#include "world/plan.h"
#include "world/processes.h"

namespace drover::world {

class Chaos {
 public:
  Chaos(net::SimWorld& world, net::SimLoop& loop, Ledger& ledger, const Plan& plan, Names& names,
        GatewayProcess& gateway, std::vector<std::unique_ptr<NodeProcess>>& nodes, std::vector<std::string> models);

  // Nodes load most of what they hold; ends by itself.
  void warm(Random random);
  void begin(Mono until);
  // Every node and the gateway run, with the first settings; nothing is wrong any more. What the faults did may still
  // have to end.
  void heal();
  std::size_t active() const { return flows_.size(); }
  void end() { flows_.cancel_all(); }

  // The drover.yaml that the gateway starts with.
  const std::string& settings() const { return yaml_; }

 private:
  net::Task<> strike_often(Fault fault, Random random, Mono until);
  net::Task<> strike(Fault fault, Random random);
  net::Task<> break_network(Fault fault, Random random, std::size_t node, Duration time);
  net::Task<> crash_node(Fault fault, Random random, std::size_t node);
  void move(std::size_t node);
  void break_names(Random& random);
  net::Task<> crash_gateway(Random random);
  net::Task<> stop_gateway(Random random);
  net::Task<> meddle(Random random, std::size_t node);
  net::Task<> leave_badly(Random random, std::size_t node);
  net::Task<> tell_node(std::size_t node, std::string body, std::string path, bool whole, Duration stay);
  void arm(Fault fault, Random& random, std::size_t node);
  void reload(Random& random);
  void reload_badly(Random& random);
  void remove_node(Random& random, std::size_t node);
  void start_gateway();
  net::LinkFaults link_faults(const net::Endpoint& to);
  std::string write_settings() const;
  std::string host_of(std::size_t node) const;

  net::SimWorld& world_;
  net::SimLoop& loop_;
  net::SimNetwork network_;
  Ledger& ledger_;
  const Plan& plan_;
  Names& names_;
  GatewayProcess& gateway_;
  std::vector<std::unique_ptr<NodeProcess>>& nodes_;
  std::vector<std::string> models_;
  config::DroverSettings first_;
  config::DroverSettings settings_;  // as they were last changed
  std::string yaml_;
  Random link_random_;
  bool healed_ = true;
  unsigned moves_ = 0;
  std::set<std::size_t> removed_;  // from the settings
  std::set<std::size_t> leaked_;   // lost a connection or a slot: only a new start heals that
  bool gateway_away_ = false;      // somebody stops or starts it
  net::TaskGroup flows_;
};

}  // namespace drover::world
