#pragma once
// The control loop's work: asks every node how it is and what it holds, tells the scheduler, carries out the loads that
// the scheduler decides, and publishes what was learned to the workers. A node that hangs delays nobody but itself.

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "fleet/fleet_view.h"
#include "gateway/published.h"
#include "gateway/shared_scheduler.h"
#include "net/network.h"
#include "net/resolver.h"
#include "observe/outcome.h"
#include "wire/call.h"

namespace drover::gateway {

// What an operator decides: at the start, and again with each reload.
struct GatewaySetup {
  std::vector<fleet::NodeSpec> nodes;  // `id` is given out here: the same name keeps its id
  GatewaySettings settings;
  balance::SchedulerSettings scheduler;
  guard::HostRules hosts;
  guard::OriginRules origins;
  std::vector<fleet::AliasSettings> aliases{};
};

// Thread: the control loop's, but for what ControlLink says.
class Control final : public ControlLink, public ControlSink {
 public:
  using Publish = std::function<void(std::shared_ptr<const Published>)>;  // to every worker

  // How many slots the node there has, where this machine can tell; empty function: it cannot.
  using LocalSlots = std::function<std::optional<unsigned>(const net::Endpoint&)>;

  Control(net::Network& network, net::Resolver& resolver, SharedScheduler& scheduler, Log& log, GatewaySetup setup,
          Publish publish, LocalSlots local_slots);
  ~Control();

  // What workers begin with, before anything was learned.
  const std::shared_ptr<const Published>& published() const { return published_; }
  // Begins to probe. `first_round` is notified when every node has answered, or failed to, once.
  void start(net::Signal& first_round);
  // New settings and nodes, whole. Nodes that are gone get no new requests; what runs there finishes.
  void apply(GatewaySetup setup);
  // Ends all flows; awaited by the owner before it dies.
  net::Task<> stop();

  // For people: when each node was last heard of, and what it said.
  struct NodeStatus {
    fleet::NodeState state;
    std::string error;  // of the last probe; empty: it passed
    balance::Health health = balance::Health::offline;
    observe::NodeCounts counts{};
  };
  std::vector<NodeStatus> nodes() const;
  // Has the node of this name show that it answers (balance::Trial). Errors (invalid): there is none, or it cannot now.
  Result<void> try_node(std::string_view name);
  Duration gpu_report_age() const { return setup_.scheduler.gpu_report_age; }
  balance::PolicyKind policy() const { return setup_.scheduler.policy; }
  // By observe::NameLookup; nodes given by their address are not looked up.
  const std::array<std::uint64_t, observe::kNameLookupCount>& name_lookups() const { return name_lookups_; }

  void refresh(net::Loop& from, std::shared_ptr<net::Signal> done) override;
  void look_again(NodeId node) override;

 private:
  struct Node;
  struct Waiting {
    net::Loop* from;
    std::shared_ptr<net::Signal> done;
  };

  void load(const balance::Load& load, std::string options) override;
  void health_changed(const balance::HealthChange& change) override;
  void try_node(const balance::Trial& trial) override;
  void unload(const balance::Unload& unload) override;

  void adopt(std::vector<fleet::NodeSpec> specs);
  void watch_all_of(const std::shared_ptr<Node>& node);
  net::Task<> watch(std::shared_ptr<Node> node);
  Duration pause_after_probe(const Node& node) const;
  net::Task<> probe(Node& node);
  net::Task<Result<net::Endpoint>> locate(Node& node);
  net::Task<Result<std::string>> get(Node& node, std::string path);
  net::Task<> watch_agent(std::shared_ptr<Node> node);
  net::Task<> ask_agent(Node& node, http::BaseUrl agent);
  net::Task<Result<std::string>> get_report(Node& node, http::BaseUrl agent);
  net::Task<> learn_shows(Node& node);
  // A POST that may take long.
  net::Task<Result<wire::CallAnswer>> post(Node& node, const std::string& path, std::string body, Mono deadline);
  net::Task<> carry_out_load(balance::Load load, std::string options);
  net::Task<> carry_out_trial(balance::Trial trial);
  net::Task<> carry_out_unload(balance::Unload unload);
  net::Task<bool> unload(Node& node, std::string name);
  net::Task<bool> unload_if_unused(Node& node, fleet::RunnerKey runner, std::string name);
  net::Task<balance::Outcome> ask_for_trial(Node& node, const fleet::Model& model);
  net::Task<> tick();
  void join_refresh(Waiting waiting);
  void round_over(Node& node);
  void finish_refresh();
  void republish();
  void report_inventory(const Node& node, Mono asked);
  const fleet::RunningModel* running(const Node& node, fleet::RunnerKey runner) const;
  std::uint64_t context_of(const Node& node, std::string_view model) const;
  void count(const Node& node, observe::NameLookup lookup);

  net::Network& network_;
  net::Resolver& resolver_;
  SharedScheduler& scheduler_;
  Log& log_;
  GatewaySetup setup_;
  std::shared_ptr<const balance::Routes> routes_;  // of that
  Publish publish_;
  LocalSlots local_slots_;
  std::shared_ptr<const Published> published_;
  std::map<std::string, NodeId> ids_;              // of every URL there ever was
  std::map<NodeId, std::shared_ptr<Node>> nodes_;  // those in service
  fleet::ShowCache shows_;
  net::Signal* first_round_ = nullptr;
  std::vector<Waiting> waiting_;     // for the refresh under way
  std::size_t refresh_pending_ = 0;  // nodes that have not answered it yet
  Mono refreshed_at_ = Mono::min();
  std::array<std::uint64_t, observe::kNameLookupCount> name_lookups_{};
  net::TaskGroup flows_;
};

}  // namespace drover::gateway
