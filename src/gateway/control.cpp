#include "gateway/control.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/go_json.h"
#include "api/node_error.h"
#include "api/xxh3.h"
#include "balance/evidence.h"
#include "base/json.h"
#include "gpu/data_sheet.h"
#include "guard/target.h"

namespace drover::gateway {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr Duration kShortestTick = std::chrono::milliseconds(2);  // where one request after another has waited too long
constexpr Duration kDownPause = std::chrono::milliseconds(250);
constexpr Duration kRefreshEvery = std::chrono::seconds(1);
constexpr Duration kResolveEvery = std::chrono::seconds(30);
constexpr Duration kResolvedStale = std::chrono::hours(1);
constexpr Duration kLetGo = std::chrono::seconds(1);  // a node needs to notice that requests were cut
constexpr std::size_t kShowsPerRound = 8;             // a node reads a model's files for each

balance::RunnerKey to_balance(fleet::RunnerKey key) { return {key.value}; }

// By the data sheet of its GPU, against that of a card that many people have; of several the slowest, since a model
// that is spread over them goes at its pace. nullopt: one of them is unknown.
std::optional<balance::CardSpeed> card_speed(const fleet::NodeState& node) {
  static const gpu::DataSheet& common = *gpu::find_data_sheet("RTX 3060");
  std::vector<std::string_view> names;
  if (!node.spec.gpu.empty()) {
    names.push_back(node.spec.gpu);
  } else if (node.agent) {
    for (const fleet::Gpu& each : node.agent->gpus) names.push_back(each.name);
  }
  std::optional<balance::CardSpeed> slowest;
  for (const std::string_view name : names) {
    const gpu::DataSheet* const sheet = gpu::find_data_sheet(name);
    if (sheet == nullptr) return std::nullopt;
    const balance::CardSpeed speed{.reading = sheet->arithmetic / common.arithmetic,
                                   .writing = sheet->bandwidth / common.bandwidth};
    if (!slowest || speed.writing < slowest->writing) slowest = speed;
  }
  return slowest;
}

// What the scheduler is told of a node.
balance::NodeSpec told(const fleet::NodeState& node) {
  return {.id = node.spec.id,
          .name = node.spec.name,
          .identity = api::xxh3(fleet::to_text(fleet::address_of(node.spec.url))),
          .weight = static_cast<double>(node.spec.weight),
          .slots = {.fixed = node.spec.slots},
          .max_loaded = node.spec.max_loaded,
          .card = card_speed(node)};
}

}  // namespace

struct Control::Node {
  fleet::NodeState state;
  std::optional<net::Endpoint> endpoint;
  Mono resolved_at = Mono::min();
  Mono tags_at = Mono::min();
  bool want_tags = true;
  Mono unreachable_since = Mono::min();
  bool in_refresh = false;
  bool asked_once = false;
  bool removed = false;
  std::optional<unsigned> slots;  // of a node on this machine, from its environment
  balance::Health health = balance::Health::offline;
  std::string error;
  observe::NodeCounts counts;
  std::optional<net::Endpoint> agent;
  Mono agent_resolved_at = Mono::min();
  std::string agent_error;
  bool agent_news = false;  // not published yet
  net::Signal look;         // notified: probe now
};

Control::Control(net::Network& network, net::Resolver& resolver, SharedScheduler& scheduler, Log& log,
                 GatewaySetup setup, Publish publish, LocalSlots local_slots)
    : network_(network),
      resolver_(resolver),
      scheduler_(scheduler),
      log_(log),
      setup_(std::move(setup)),
      routes_(std::make_shared<const balance::Routes>(setup_.scheduler)),
      publish_(std::move(publish)),
      local_slots_(std::move(local_slots)),
      flows_(network.loop()) {
  scheduler_.set_control(network.loop(), *this);
  adopt(std::move(setup_.nodes));
  republish();
}

Control::~Control() = default;

// ---- nodes
// -----------------------------------------------------------------------------------------------------------

void Control::adopt(std::vector<fleet::NodeSpec> specs) {
  const Mono now = network_.loop().now();
  std::map<NodeId, std::shared_ptr<Node>> kept;
  scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
    for (fleet::NodeSpec& spec : specs) {
      // A node is its machine: names may move to others, as those do that are given by place.
      spec.id = ids_.try_emplace(http::to_text(spec.url), NodeId{ids_.size()}).first->second;
      auto& node = kept[spec.id];
      if (const auto found = nodes_.find(spec.id); found != nodes_.end()) node = found->second;
      if (node == nullptr) node = std::make_shared<Node>();
      if (node->state.spec.agent != spec.agent) {
        node->agent.reset();
        node->state.agent.reset();
      }
      node->state.spec = spec;
      scheduler.update_node(told(node->state), now, actions);
    }
    for (auto& [id, node] : nodes_) {
      if (kept.contains(id)) continue;
      node->removed = true;
      scheduler.remove_node(id, now, actions);
    }
  });
  for (auto& [id, node] : nodes_) {
    if (node->removed) node->look.notify();
  }
  nodes_.swap(kept);
}

void Control::start(net::Signal& first_round) {
  first_round_ = &first_round;
  for (auto& [id, node] : nodes_) watch_all_of(node);
  if (nodes_.empty()) first_round.notify();
  flows_.spawn(tick());
}

void Control::apply(GatewaySetup setup) {
  const auto before = nodes_;
  scheduler_.change(
      [&](balance::Scheduler& scheduler, balance::Actions&) { scheduler.update_settings(setup.scheduler); });
  auto specs = std::move(setup.nodes);
  setup_ = std::move(setup);
  routes_ = std::make_shared<const balance::Routes>(setup_.scheduler);
  adopt(std::move(specs));
  for (auto& [id, node] : nodes_) {
    const auto known = before.find(id);
    if (known == before.end() || known->second != node) watch_all_of(node);
  }
  republish();
}

net::Task<> Control::stop() {
  flows_.cancel_all();
  co_await flows_.ended();
}

std::vector<Control::NodeStatus> Control::nodes() const {
  std::vector<NodeStatus> result;
  for (const auto& [id, node] : nodes_) result.push_back({node->state, node->error, node->health, node->counts});
  return result;
}

// ---- probes
// ----------------------------------------------------------------------------------------------------------

void Control::watch_all_of(const std::shared_ptr<Node>& node) {
  flows_.spawn(watch(node));
  flows_.spawn(watch_agent(node));
}

net::Task<> Control::watch(std::shared_ptr<Node> node) {
  while (!node->removed) {
    node->look.reset();
    co_await probe(*node);
    round_over(*node);
    const auto asked = co_await node->look.notified(network_.loop().now() + pause_after_probe(*node));
    if (!asked && asked.error() == ErrorCode::cancelled) co_return;
    // Every request that fails there asks for a look: a node that is down is not asked faster than this.
    if (!node->state.reachable && !co_await net::sleep_until(network_.loop().now() + kDownPause)) co_return;
  }
  node->want_tags = false;
  round_over(*node);
}

// A node that fails, or comes back, is known sooner.
Duration Control::pause_after_probe(const Node& node) const {
  const bool up = node.health == balance::Health::stable || node.health == balance::Health::degraded;
  const bool in_service = node.state.reachable && up;
  const GatewaySettings& settings = setup_.settings;
  return in_service ? settings.probe_interval : std::min(settings.probe_interval, settings.probe_again);
}

net::Task<> Control::probe(Node& node) {
  net::Loop& loop = network_.loop();
  const Mono asked = loop.now();
  const auto& spec = node.state.spec;
  fleet::NodeReport report = node.state.report;
  std::optional<Error> failure;

  if (auto endpoint = co_await locate(node); !endpoint) failure = endpoint.error();
  if (!failure) {
    const auto body = co_await get(node, "/api/version");
    auto version = body ? fleet::parse_version_answer(*body) : Result<std::string>(body.error());
    if (version) report.version = std::move(*version);
    if (!version) failure = version.error();
  }
  if (!failure) {
    const auto body = co_await get(node, "/api/ps");
    auto running = body ? fleet::parse_ps_answer(*body) : Result<fleet::Listing<fleet::RunningModel>>(body.error());
    if (running) report.running = std::move(running->models);
    if (!running) failure = running.error();
  }
  if (!failure && (node.want_tags || after(node.tags_at, setup_.settings.tags_interval) <= loop.now())) {
    const auto body = co_await get(node, "/api/tags");
    auto models = body ? fleet::parse_tags_answer(*body) : Result<fleet::Listing<fleet::StoredModel>>(body.error());
    if (models) {
      report.models = std::move(models->models);
      node.tags_at = loop.now();
      node.want_tags = false;
    } else {
      failure = models.error();
    }
  }
  // Where this process has no descriptor left, nothing was learned of the node.
  const bool unasked = failure && (failure->code == ErrorCode::cancelled || failure->code == ErrorCode::system);
  if (node.removed || unasked) co_return;

  const bool reachable = !failure;
  const bool changed = std::exchange(node.agent_news, false) || report != node.state.report ||
                       reachable != node.state.reachable || node.error.empty() != reachable;
  // It may have come back with other settings.
  if (reachable && !node.state.reachable && local_slots_ && !spec.slots) node.slots = local_slots_(*node.endpoint);
  if (failure && node.error.empty()) {
    log_.warn("node_unreachable", {{"node", spec.name}, {"url", http::to_text(spec.url)}, {"error", failure->detail}});
  }
  node.error = failure ? failure->detail : std::string();
  node.state.report = std::move(report);
  if (reachable != node.state.reachable) node.unreachable_since = reachable ? kNever : loop.now();
  node.state.reachable = reachable;
  if (reachable) co_await learn_shows(node);
  if (changed) republish();
  if (reachable) report_inventory(node, asked);
  scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
    scheduler.probed(spec.id, {failure ? std::optional(failure->code) : std::nullopt}, loop.now(), actions);
  });
}

net::Task<Result<net::Endpoint>> Control::locate(Node& node) {
  net::Loop& loop = network_.loop();
  if (node.endpoint && after(node.resolved_at, kResolveEvery) > loop.now()) co_return *node.endpoint;
  const std::string host = node.state.spec.url.host;
  auto found = co_await resolver_.resolve(loop, host, node.state.spec.url.port, loop.now() + setup_.settings.probe);
  if (found) {
    const auto allowed = std::ranges::find_if(
        *found, [&](const net::Endpoint& at) { return guard::check_target(host, at).has_value(); });
    if (allowed == found->end()) {
      count(node, observe::NameLookup::rejected);
      co_return guard::check_target(host, found->front()).error();
    }
    node.resolved_at = loop.now();
    const bool moved = node.endpoint && *node.endpoint != *allowed;
    count(node, moved ? observe::NameLookup::moved : observe::NameLookup::ok);
    if (node.endpoint != *allowed) {
      node.endpoint = *allowed;
      republish();
    }
    co_return *node.endpoint;
  }
  // A name that stopped resolving keeps its last address for a while: the name service may be what is down.
  const bool kept = node.endpoint && after(node.resolved_at, kResolvedStale) > loop.now();
  count(node, kept ? observe::NameLookup::kept : observe::NameLookup::failed);
  if (kept) co_return *node.endpoint;
  co_return found.error();
}

void Control::count(const Node& node, observe::NameLookup lookup) {
  if (net::parse_ip(node.state.spec.url.host, 0)) return;  // nothing was looked up
  ++name_lookups_[static_cast<std::size_t>(lookup)];
}

net::Task<Result<std::string>> Control::get(Node& node, std::string path) {
  const auto& spec = node.state.spec;
  wire::CallRequest request{.target = spec.url.path + path,
                            .host = http::authority(spec.url),
                            .max_answer = setup_.settings.probe_answer,
                            .connect = setup_.settings.connect};
  auto answer =
      co_await wire::call(network_, *node.endpoint, std::move(request), network_.loop().now() + setup_.settings.probe);
  if (!answer) co_return answer.error();
  if (answer->status == 200) co_return std::move(answer->body);
  co_return Error{ErrorCode::protocol, Side::upstream,
                  fmt::format("GET {} on {} answered {}", path, net::to_text(*node.endpoint), answer->status)};
}

// ---- agents
// ----------------------------------------------------------------------------------------------------------

net::Task<> Control::watch_agent(std::shared_ptr<Node> node) {
  while (!node->removed) {
    const auto agent = node->state.spec.agent;
    if (agent) co_await ask_agent(*node, *agent);
    // A reload may give it one.
    const Duration pause = agent ? setup_.settings.agent_interval : setup_.settings.probe_interval;
    if (!co_await net::sleep_until(network_.loop().now() + pause)) co_return;
  }
}

// What is learned is for choices only: a node is no worse for an agent that fails, and its last report grows old.
net::Task<> Control::ask_agent(Node& node, http::BaseUrl agent) {
  const auto body = co_await get_report(node, agent);
  auto report = body ? fleet::parse_agent_answer(*body) : Result<fleet::AgentReport>(body.error());
  const Mono now = network_.loop().now();
  if (node.removed || (!report && report.error().code == ErrorCode::cancelled)) co_return;
  if (!report) {
    if (node.agent_error.empty()) {
      const std::string url = http::to_text(agent);
      log_.warn("agent_failed", {{"node", node.state.spec.name}, {"agent", url}, {"error", report.error().detail}});
    }
    node.agent_error = report.error().detail;
    co_return;
  }
  node.agent_error.clear();
  report->at = now;
  const balance::GpuLoad load{.busy = report->busy(),
                              .memory = 1 - static_cast<double>(report->memory_free().value) /
                                                static_cast<double>(report->memory_total().value)};
  const auto guessed = card_speed(node.state);
  node.state.agent = std::move(*report);
  node.agent_news = true;
  const balance::NodeSpec spec = told(node.state);  // names are looked up before the scheduler's lock is taken
  scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
    if (spec.card != guessed) scheduler.update_node(spec, now, actions);
    scheduler.observe_gpu(spec.id, load, now);
  });
}

net::Task<Result<std::string>> Control::get_report(Node& node, http::BaseUrl agent) {
  net::Loop& loop = network_.loop();
  const Mono deadline = loop.now() + setup_.settings.probe;
  if (!node.agent || after(node.agent_resolved_at, kResolveEvery) <= loop.now()) {
    const auto found = co_await resolver_.resolve(loop, agent.host, agent.port, deadline);
    if (!found) co_return found.error();
    if (const auto allowed = guard::check_target(agent.host, found->front()); !allowed) co_return allowed.error();
    node.agent = found->front();
    node.agent_resolved_at = loop.now();
  }
  wire::CallRequest request{.target = agent.path + "/v1/node",
                            .host = http::authority(agent),
                            .max_answer = fleet::kMaxAgentAnswer,
                            .connect = setup_.settings.connect};
  auto answer = co_await wire::call(network_, *node.agent, std::move(request), deadline);
  if (!answer) co_return answer.error();
  if (answer->status == 200) co_return std::move(answer->body);
  co_return Error{ErrorCode::protocol, Side::upstream,
                  fmt::format("GET /v1/node on {} answered {}", net::to_text(*node.agent), answer->status)};
}

// Asks for the details of models that nobody has asked for yet, a few a round: the weights' key tells aliases apart
// from models of their own, and plain shows are answered from memory.
net::Task<> Control::learn_shows(Node& node) {
  std::size_t asked = 0;
  bool learned = false;
  const std::vector<fleet::StoredModel> models = node.state.report.models;
  for (const fleet::StoredModel& model : models) {
    if (shows_.find(model.key, model.digest) != nullptr || model.digest.empty()) continue;
    if (++asked > kShowsPerRound) break;
    wire::CallRequest request{.method = "POST",
                              .target = node.state.spec.url.path + "/api/show",
                              .host = http::authority(node.state.spec.url),
                              .body = fmt::format("{{\"model\":{}}}", api::go_string(model.name)),
                              .max_answer = setup_.settings.probe_answer,
                              .connect = setup_.settings.connect};
    const auto answer = co_await wire::call(network_, *node.endpoint, std::move(request),
                                            network_.loop().now() + setup_.settings.probe);
    if (!answer || answer->status != 200) break;
    auto info = fleet::parse_show_answer(answer->body);
    if (!info) continue;
    shows_.put(model.key, model.digest, std::move(*info));
    learned = true;
  }
  if (asked > kShowsPerRound) node.look.notify();  // more are waiting: the next round comes at once
  if (learned) republish();
}

// Those weights as they run on the node, by its last report; null: they do not.
const fleet::RunningModel* Control::running(const Node& node, fleet::RunnerKey runner) const {
  const auto& all = node.state.report.running;
  const auto found = std::ranges::find_if(all, [&](const fleet::RunningModel& model) {
    return published_->fleet->runner_of(model.key, model.digest) == runner;
  });
  return found == all.end() ? nullptr : &*found;
}

// Tokens of a slot there; 0: the model is not in memory, or the node does not say.
std::uint64_t Control::context_of(const Node& node, std::string_view model) const {
  const fleet::Model* const known = published_->fleet->find(model);
  if (known == nullptr) return 0;
  const auto holder = std::ranges::find(known->holders, node.state.spec.id, &fleet::Holder::node);
  const auto* const found = holder == known->holders.end() ? nullptr : running(node, holder->runner);
  return found == nullptr ? 0 : found->context_length;
}

void Control::report_inventory(const Node& node, Mono asked) {
  const NodeId id = node.state.spec.id;
  const fleet::FleetView& view = *published_->fleet;
  std::vector<balance::ModelOnNode> inventory;
  for (const auto& [key, model] : view.index()) {
    for (const fleet::Holder& holder : model.holders) {
      if (holder.node != id || (model.remote && !setup_.settings.allow_cloud)) continue;
      balance::ModelOnNode entry{.model = key, .runner = to_balance(holder.runner), .slots_hint = node.slots};
      if (const fleet::RunningModel* const there = running(node, holder.runner)) {
        entry.resident = true;
        entry.context = there->context_length;
      }
      inventory.push_back(std::move(entry));
    }
  }
  scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
    scheduler.observe_inventory(id, inventory, asked, network_.loop().now(), actions);
  });
}

// ---- refresh
// ---------------------------------------------------------------------------------------------------------

void Control::refresh(net::Loop& from, std::shared_ptr<net::Signal> done) {
  network_.loop().post([this, &from, moved = std::move(done)]() mutable { join_refresh({&from, std::move(moved)}); });
}

void Control::join_refresh(Waiting waiting) {
  const Mono now = network_.loop().now();
  waiting_.push_back(std::move(waiting));
  if (refresh_pending_ > 0) return;
  if (after(refreshed_at_, kRefreshEvery) > now && refreshed_at_ != Mono::min()) return finish_refresh();
  refreshed_at_ = now;
  for (auto& [id, node] : nodes_) {
    node->want_tags = true;
    node->in_refresh = true;
    node->look.notify();
    ++refresh_pending_;
  }
  if (refresh_pending_ == 0) finish_refresh();
}

void Control::round_over(Node& node) {
  if (!node.asked_once) {
    node.asked_once = true;
    const bool all = std::ranges::all_of(nodes_, [](const auto& entry) { return entry.second->asked_once; });
    if (all && first_round_ != nullptr) std::exchange(first_round_, nullptr)->notify();
  }
  if (!node.in_refresh || (node.want_tags && node.state.reachable)) return;  // this round began before the refresh
  node.in_refresh = false;
  if (refresh_pending_ == 0) return;
  --refresh_pending_;
  if (refresh_pending_ == 0) finish_refresh();
}

void Control::finish_refresh() {
  for (Waiting& waiting : waiting_) {
    // Behind the view that was published on the same loop, so that whoever waited sees it.
    waiting.from->post([done = std::move(waiting.done)] { done->notify(); });
  }
  waiting_.clear();
}

void Control::look_again(NodeId id) {
  network_.loop().post([this, id] {
    const auto found = nodes_.find(id);
    if (found == nodes_.end()) return;
    found->second->want_tags = true;
    found->second->look.notify();
  });
}

// ---- loads
// -----------------------------------------------------------------------------------------------------------

void Control::load(const balance::Load& load, std::string options) {
  flows_.spawn(carry_out_load(load, std::move(options)));
}

net::Task<> Control::carry_out_load(balance::Load load, std::string options) {
  const auto found = nodes_.find(load.node);
  const fleet::Model* model = published_->fleet->find(load.model);
  balance::LoadOutcome outcome{ErrorCode::model_absent};
  if (found != nodes_.end() && found->second->endpoint && model != nullptr) {
    const std::shared_ptr<Node> node = found->second;
    const auto& spec = node->state.spec;
    const Mono began = network_.loop().now();
    const std::string name = model->name;  // the view may be replaced while the load runs
    // An embedding model answers 400 to a load by /api/generate; an empty input loads it.
    const bool embeds = model->capabilities.embedding_only();
    std::string body = fmt::format("{{\"model\":{}{}}}", api::go_string(name), options);
    if (const fleet::Model* evicted = published_->fleet->find(load.evict)) {
      log_.info("model_evicted", {{"node", spec.name}, {"model", evicted->name}, {"for", name}});
      ++node->counts.evictions;
      co_await unload(*node, evicted->name);
    }
    log_.info("load_started", {{"node", spec.name}, {"model", name}});
    const auto answer =
        co_await post(*node, embeds ? "/api/embed" : "/api/generate", std::move(body), began + setup_.settings.load);
    if (!answer) {
      outcome.failed = answer.error().code;
    } else if (answer->status != 200) {
      outcome.failed = api::node_error(answer->status, answer->body);
    } else {
      outcome.failed.reset();
    }
    const double took = seconds(network_.loop().now() - began);
    ++(outcome.failed ? node->counts.failed_loads : node->counts.loads);
    if (outcome.failed) {
      const std::string why = answer ? fmt::format("status {}", answer->status) : answer.error().detail;
      log_.warn("load_failed", {{"node", spec.name}, {"model", name}, {"after_s", took}, {"error", why}});
      if (!load.evict.empty()) co_await probe(*node);  // is it gone?
    } else {
      log_.info("load_finished", {{"node", spec.name}, {"model", name}, {"after_s", took}});
      co_await probe(*node);
      if (node->state.reachable) outcome.context = context_of(*node, load.model);
      scheduler_.note_load(load.node, load.model, began, network_.loop().now());
    }
  }
  scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
    scheduler.loaded(load.token, outcome, network_.loop().now(), actions);
  });
}

// ---- trials
// ----------------------------------------------------------------------------------------------------------

Result<void> Control::try_node(std::string_view name) {
  const auto found =
      std::ranges::find_if(nodes_, [&](const auto& entry) { return entry.second->state.spec.name == name; });
  if (found == nodes_.end()) return Error{ErrorCode::invalid, Side::client, fmt::format("there is no node {}", name)};
  bool began = false;
  scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
    began = scheduler.try_node(found->first, network_.loop().now(), actions);
  });
  if (began) return {};
  return Error{
      ErrorCode::invalid, Side::client,
      fmt::format("node {} cannot be tried now: it is offline, or no model in its memory has a free slot", name)};
}

void Control::try_node(const balance::Trial& trial) { flows_.spawn(carry_out_trial(trial)); }

net::Task<> Control::carry_out_trial(balance::Trial trial) {
  using observe::TrialVerdict;
  const auto found = nodes_.find(trial.node);
  const fleet::Model* model = published_->fleet->find(trial.model);
  balance::Outcome outcome{.kind = balance::Outcome::Kind::client_cancelled};
  if (found != nodes_.end() && found->second->endpoint && model != nullptr) {
    const std::shared_ptr<Node> node = found->second;
    const Mono began = network_.loop().now();
    outcome = co_await ask_for_trial(*node, *model);
    TrialVerdict verdict = TrialVerdict::unclear;
    if (outcome.kind == balance::Outcome::Kind::ok) verdict = TrialVerdict::passed;
    if (outcome.kind == balance::Outcome::Kind::node_failed && balance::evidence_of(outcome)) {
      verdict = TrialVerdict::failed;
    }
    ++node->counts.trials[static_cast<std::size_t>(verdict)];
    const Level level = verdict == TrialVerdict::failed ? Level::warn : Level::info;
    log_.write(level, "trial",
               {{"node", node->state.spec.name},
                {"model", trial.model},
                {"verdict", observe::name(verdict)},
                {"after_s", seconds(network_.loop().now() - began)}});
  }
  scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
    scheduler.finished(trial.request, trial.node, outcome, std::nullopt, network_.loop().now(), actions);
  });
}

// A few tokens, without options that would load the model anew, and without a word about how long it is to stay.
net::Task<balance::Outcome> Control::ask_for_trial(Node& node, const fleet::Model& model) {
  using Kind = balance::Outcome::Kind;
  const bool embeds = model.capabilities.embedding_only();
  const std::string rest =
      embeds ? R"("input":"1 2 3")" : R"("prompt":"1 2 3","raw":true,"stream":false,"options":{"num_predict":4})";
  std::string body = fmt::format("{{\"model\":{},{}}}", api::go_string(model.name), rest);
  const auto answer = co_await post(node, embeds ? "/api/embed" : "/api/generate", std::move(body),
                                    network_.loop().now() + setup_.settings.trial);
  if (!answer) {
    // Others may use the node, too: being busy is no failure.
    const bool unclear = answer.error().code == ErrorCode::timed_out || answer.error().code == ErrorCode::cancelled;
    co_return {.kind = unclear ? Kind::client_cancelled : Kind::node_failed, .code = answer.error().code};
  }
  if (answer->status != 200) {
    co_return {
        .kind = Kind::node_failed, .code = api::node_error(answer->status, answer->body), .status = answer->status};
  }
  const auto good = embeds ? fleet::check_embedding(answer->body) : fleet::check_generation(answer->body);
  co_return good ? balance::Outcome{} : balance::Outcome{.kind = Kind::node_failed, .code = good.error().code};
}

// ---- leaked slots
// ----------------------------------------------------------------------------------------------------

void Control::unload(const balance::Unload& unload) { flows_.spawn(carry_out_unload(unload)); }

net::Task<> Control::carry_out_unload(balance::Unload unload) {
  const auto found = nodes_.find(unload.node);
  const fleet::Model* model = published_->fleet->find(unload.model);
  bool done = false;
  if (found != nodes_.end() && found->second->endpoint && model != nullptr) {
    const std::shared_ptr<Node> node = found->second;
    done = co_await unload_if_unused(*node, model->runner, model->name);
    node->counts.leaks += done ? 1 : 0;
    log_.warn("slot_leaked", {{"node", node->state.spec.name}, {"model", unload.model}, {"unloaded", done}});
  }
  scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
    scheduler.unloaded(unload.token, done, network_.loop().now(), actions);
  });
}

// A node begins a model's keep-alive anew when the last request for it has ended. That moment is now, if all of them
// were ours; if it does not come, somebody else's still runs.
net::Task<bool> Control::unload_if_unused(Node& node, fleet::RunnerKey runner, std::string name) {
  const auto expires = [&]() -> std::optional<Wall> {
    for (const fleet::RunningModel& running : node.state.report.running) {
      if (published_->fleet->runner_of(running.key, running.digest) == runner) return running.expires;
    }
    return std::nullopt;
  };
  const std::optional<Wall> before = expires();
  if (!co_await net::sleep_until(network_.loop().now() + kLetGo)) co_return false;
  co_await probe(node);
  const bool in_use = before && before != Wall::max() && expires() == before;
  if (!node.state.reachable || in_use) co_return false;
  co_return co_await unload(node, std::move(name));
}

net::Task<bool> Control::unload(Node& node, std::string name) {
  std::string body = fmt::format("{{\"model\":{},\"keep_alive\":0}}", api::go_string(name));
  const auto answer =
      co_await post(node, "/api/generate", std::move(body), network_.loop().now() + setup_.settings.probe);
  co_return answer && answer->status == 200;
}

net::Task<Result<wire::CallAnswer>> Control::post(Node& node, const std::string& path, std::string body,
                                                  Mono deadline) {
  const auto& spec = node.state.spec;
  wire::CallRequest request{.method = "POST",
                            .target = spec.url.path + path,
                            .host = http::authority(spec.url),
                            .body = std::move(body),
                            .max_answer = 1_MiB,
                            .connect = setup_.settings.connect};
  return wire::call(network_, *node.endpoint, std::move(request), deadline);
}

net::Task<> Control::tick() {
  Mono next = network_.loop().now() + kTick;
  while (co_await net::sleep_until(next)) {
    scheduler_.change([&](balance::Scheduler& scheduler, balance::Actions& actions) {
      const Mono now = network_.loop().now();
      scheduler.tick(now, actions);
      next = std::clamp(scheduler.next_deadline(), now + kShortestTick, now + kTick);
    });
  }
}

// ---- what was learned
// ------------------------------------------------------------------------------------------------

void Control::health_changed(const balance::HealthChange& change) {
  const auto found = nodes_.find(change.node);
  if (found == nodes_.end()) return;
  Node& node = *found->second;
  node.health = change.to;
  const Level level = change.to == balance::Health::offline ? Level::warn : Level::info;
  log_.write(level, "node_health",
             {{"node", node.state.spec.name},
              {"from", balance::name(change.from)},
              {"to", balance::name(change.to)},
              {"why", balance::name(change.why)},
              {"error", node.error.empty() ? "-" : node.error}});
  republish();
}

void Control::republish() {
  std::vector<fleet::NodeState> states;
  auto next = std::make_shared<Published>();
  for (const auto& [id, node] : nodes_) {
    const auto& spec = node->state.spec;
    states.push_back(node->state);
    next->nodes.push_back({.id = id,
                           .name = spec.name,
                           .host = http::authority(spec.url),
                           .prefix = spec.url.path,
                           .endpoint = node->endpoint.value_or(net::Endpoint{}),
                           .unreachable_since = node->unreachable_since,
                           .health = node->health});
  }
  next->settings = setup_.settings;
  next->hosts = setup_.hosts;
  next->origins = setup_.origins;
  next->routes = routes_;
  next->attempts = setup_.scheduler.attempts;
  next->fleet =
      fleet::FleetView::build(states, shows_, {.allow_cloud = setup_.settings.allow_cloud, .aliases = setup_.aliases});
  published_ = std::move(next);
  publish_(published_);
}

}  // namespace drover::gateway
