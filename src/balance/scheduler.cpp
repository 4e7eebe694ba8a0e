#include "balance/scheduler.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "balance/dispatcher.h"
#include "balance/evidence.h"
#include "base/check.h"

namespace drover::balance {
namespace {

constexpr std::size_t kExpiriesPerTick = 256;
constexpr std::size_t kLanesPerTick = 8;

// Is it the only one that can serve some model of its own?
bool last_capable(const Node& node) {
  return std::ranges::any_of(node.served, [&](const Served& served) {
    return std::ranges::none_of(served.lane->places,
                                [&](const Place& place) { return place.node != &node && place.node->usable(); });
  });
}

void judge(Dispatcher& dispatcher, Node& node, Evidence evidence, Mono now, Actions& actions) {
  const bool last = evidence == Evidence::request_failed && last_capable(node);
  const auto step = node.health.observe(evidence, last, now);
  if (!step) return;
  if (step->to == Health::recovering) node.begin_recovery();
  actions.push_back(HealthChange{.node = node.spec.id, .from = step->from, .to = step->to, .why = step->why});
  if (step->to == Health::offline) {
    dispatcher.reroute(node, now, actions);
  } else {
    dispatcher.dispatch_node(node, now, actions);
  }
}

void drop_if_unused(Dispatcher& dispatcher, Node& node, Runner& runner) {
  if (runner.listed || runner.in_flight > 0 || (node.load && node.load->runner == &runner)) return;
  if (runner.claimant != nullptr) dispatcher.release_claim(*runner.claimant);
  node.set_resident(runner, false);
  node.runners.erase(runner.key);
}

void drop_if_gone(Dispatcher& dispatcher, Node& node) {
  if (node.removed && node.in_flight == 0) dispatcher.nodes.erase(node.spec.id);
}

// A slot of `runner` is free: who waits for it? And what hung on that slot may be forgotten.
void settle(Dispatcher& dispatcher, Node& node, Runner& runner, Lane& lane, Mono now, Actions& actions) {
  dispatcher.dispatch_runner(node, runner, now, actions);
  drop_if_unused(dispatcher, node, runner);
  drop_if_gone(dispatcher, node);
  dispatcher.forget_if_empty(lane);
}

void learn_slots(const Request& request, const NodeDurations& durations, Mono now) {
  Runner& runner = *request.runner;
  const std::uint64_t ended_meanwhile = runner.ended - request.ended_at_start;
  if (ended_meanwhile > runner.ends.size()) return;  // when the first one ended is not known any more
  SlotSample sample{
      .durations = durations, .in_flight = request.in_flight_at_start, .others_wait = !request.lane->line.empty()};
  if (ended_meanwhile > 0) {
    sample.first_end = runner.ends[request.ended_at_start % runner.ends.size()] - request.started;
  }
  runner.slots.observe(sample, now);
}

std::string_view model_of(const Served& served) { return served.lane->model; }

Place* place_of(Lane& lane, NodeId node) {
  const auto place = std::ranges::lower_bound(lane.places, node, {}, [](const Place& p) { return p.node->spec.id; });
  return place != lane.places.end() && place->node->spec.id == node ? &*place : nullptr;
}

void leave_lane(Lane& lane, const Node& node) {
  std::erase_if(lane.places, [&](const Place& place) { return place.node == &node; });
}

void enter_lane(Lane& lane, Node& node, Runner& runner) {
  if (Place* place = place_of(lane, node.spec.id)) {
    place->runner = &runner;
    return;
  }
  const auto behind =
      std::ranges::upper_bound(lane.places, node.spec.id, {}, [](const Place& place) { return place.node->spec.id; });
  lane.places.insert(behind, {.node = &node, .runner = &runner});
}

// The node serves `models` and no others. Residency is not touched.
void set_served(Dispatcher& dispatcher, Node& node, std::span<const ModelOnNode> models, Mono now, Actions& actions) {
  const std::vector<Served> before = std::exchange(node.served, {});
  for (auto& [key, runner] : node.runners) runner.listed = runner.seen_resident = false;
  for (const ModelOnNode& model : models) {
    Runner& runner = node.runners.try_emplace(model.runner, model.runner, node.spec.slots).first->second;
    runner.listed = true;
    runner.seen_resident |= model.resident;
    if (model.context > 0) runner.context = model.context;
    if (model.slots_hint) runner.slots.hint(*model.slots_hint);
    const auto [entry, is_new] = dispatcher.lanes.try_emplace(model.model);
    Lane& lane = entry->second;
    if (is_new) lane.model = model.model;
    node.served.push_back({.lane = &lane, .runner = &runner});
  }
  // Of a name that a node lists twice the lower runner key counts.
  std::ranges::sort(node.served, {},
                    [](const Served& served) { return std::pair(model_of(served), served.runner->key); });
  const auto twice = std::ranges::unique(node.served, {}, &Served::lane);
  node.served.erase(twice.begin(), twice.end());

  for (const Served& served : node.served) enter_lane(*served.lane, node, *served.runner);
  for (const Served& served : before) {
    if (std::ranges::binary_search(node.served, model_of(served), {}, model_of)) continue;
    leave_lane(*served.lane, node);
    dispatcher.refuse_stranded(*served.lane, now, actions);
    dispatcher.dispatch_lane(*served.lane, now, actions);
    dispatcher.forget_if_empty(*served.lane);
  }
}

void drop_unlisted_runners(Dispatcher& dispatcher, Node& node) {
  for (auto runner = node.runners.begin(); runner != node.runners.end();) {
    drop_if_unused(dispatcher, node, (runner++)->second);
  }
}

}  // namespace

std::string_view name(Reason reason) {
  switch (reason) {
    case Reason::pinned: return "pinned";
    case Reason::only_one: return "only_one";
    case Reason::round_robin: return "round_robin";
    case Reason::least_connections: return "least_connections";
  }
  return "";
}

std::string_view name(Why why) {
  switch (why) {
    case Why::no_such_model: return "no_such_model";
    case Why::no_backend: return "no_backend";
    case Why::queue_full: return "queue_full";
    case Why::budget_exhausted: return "budget_exhausted";
    case Why::deadline: return "deadline";
    case Why::load_failed: return "load_failed";
  }
  return "";
}

Scheduler::Scheduler(const SchedulerSettings& settings) : dispatcher_(std::make_unique<Dispatcher>(settings)) {}
Scheduler::~Scheduler() = default;

void Scheduler::update_settings(const SchedulerSettings& settings) { dispatcher_->configure(settings); }
const SchedulerSettings& Scheduler::settings() const { return dispatcher_->settings; }

// ---- the fleet
// -------------------------------------------------------------------------------------------------------

void Scheduler::update_node(const NodeSpec& spec, Mono now, Actions& actions) {
  CHECK(spec.weight > 0);
  Node& node = dispatcher_->nodes.try_emplace(spec.id, spec, dispatcher_->settings.health).first->second;
  if (node.removed) {
    node.removed = node.draining = false;
    node.health = HealthTracker(dispatcher_->settings.health);
  }
  node.spec = spec;
  for (auto& [key, runner] : node.runners) runner.slots.configure(spec.slots);
  dispatcher_->dispatch_node(node, now, actions);
}

void Scheduler::drain(NodeId id, bool draining, Mono now, Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end()) return;
  found->second.draining = draining;
  dispatcher_->reroute(found->second, now, actions);
}

void Scheduler::remove_node(NodeId id, Mono now, Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end() || found->second.removed) return;
  Node& node = found->second;
  node.removed = true;
  if (node.load) {
    Lane& lane = *node.load->lane;
    dispatcher_->end_load(node);
    dispatcher_->forget_if_empty(lane);
  }
  set_served(*dispatcher_, node, {}, now, actions);
  drop_unlisted_runners(*dispatcher_, node);
  drop_if_gone(*dispatcher_, node);
}

void Scheduler::observe_inventory(NodeId id, std::span<const ModelOnNode> models, Mono asked, Mono now,
                                  Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end() || found->second.removed) return;
  Node& node = found->second;
  set_served(*dispatcher_, node, models, now, actions);
  for (auto& [key, runner] : node.runners) {
    const bool loading = node.load && node.load->runner == &runner;
    const bool we_know_better = loading || runner.known_at > asked || (!runner.seen_resident && runner.in_flight > 0);
    if (!we_know_better) node.set_resident(runner, runner.seen_resident);
  }
  drop_unlisted_runners(*dispatcher_, node);
  dispatcher_->dispatch_node(node, now, actions);
}

void Scheduler::probed(NodeId id, const ProbeResult& result, Mono now, Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end() || found->second.removed) return;
  const auto evidence = result.failed ? Evidence::probe_failed : Evidence::probe_passed;
  judge(*dispatcher_, found->second, evidence, now, actions);
}

void Scheduler::load_saturated(NodeId id, Mono now, Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end()) return;
  found->second.no_loads_until = after(now, dispatcher_->settings.saturated_cooldown);
  dispatcher_->dispatch_node(found->second, now, actions);
}

// ---- requests
// --------------------------------------------------------------------------------------------------------

Decision Scheduler::submit(const Submission& submission, Actions& actions) {
  Dispatcher& dispatcher = *dispatcher_;
  const Mono now = submission.now;
  const auto found = dispatcher.lanes.find(submission.model);
  if (found == dispatcher.lanes.end() || found->second.places.empty()) return Refused{.why = Why::no_such_model};
  if (submission.deadline <= now) return Refused{.why = Why::deadline};

  Lane& lane = found->second;
  // Who waits goes first: time alone may have opened a slot since the last look.
  if (lane.line.size() < kLookahead) dispatcher.dispatch_lane(lane, now, actions);
  const bool full = submission.retry != RetryKind::lost_node && dispatcher.waiting >= dispatcher.settings.max_queue;
  const bool in_sight = lane.line.size() < kLookahead;
  if (full && !in_sight) return Refused{.why = Why::queue_full, .retry_after = dispatcher.retry_after(now)};
  if (submission.retry == RetryKind::budgeted && !dispatcher.budget.take(dispatcher.requests.size())) {
    return Refused{.why = Why::budget_exhausted, .retry_after = dispatcher.retry_after(now)};
  }

  Request& request = dispatcher.requests.add(submission.request);
  request.lane = &lane;
  request.arrival = submission.arrival;
  request.deadline = submission.deadline;
  request.need = submission.need;
  request.excluded.assign(submission.excluded.begin(), submission.excluded.end());
  request.pinned = submission.pinned;
  request.retry = submission.retry;

  const auto room = dispatcher.survey(request, now);
  if (in_sight) {
    if (const auto bound = dispatcher.best(request, now)) {
      dispatcher.start(request, *bound->place, now);
      return Start{.node = bound->place->node->spec.id, .reason = bound->reason};
    }
  }
  auto refused = dispatcher.stranded(now);
  if (!refused && full) refused = Refused{.why = Why::queue_full, .retry_after = dispatcher.retry_after(now)};
  if (refused) {
    dispatcher.forget(request);
    return *refused;
  }

  const std::size_t position = dispatcher.join_line(request, now);
  if (in_sight) {
    if (room.loadable) dispatcher.consider_load(request, position - 1, now, actions);
  } else if (position <= kLookahead) {
    dispatcher.dispatch_lane(lane, now, actions);
  }
  return Queued{.position = position};
}

void Scheduler::finished(RequestId id, NodeId node_id, const Outcome& outcome,
                         const std::optional<NodeDurations>& durations, Mono now, Actions& actions) {
  Request* request = dispatcher_->requests.find(id);
  CHECK(request != nullptr && request->node != nullptr && request->node->spec.id == node_id);
  Node& node = *request->node;
  Runner& runner = *request->runner;
  if (durations && outcome.kind == Outcome::Kind::ok) learn_slots(*request, *durations, now);

  if (outcome.kind == Outcome::Kind::node_failed) {
    if (outcome.code == ErrorCode::server_busy) {
      node.no_loads_until = after(now, dispatcher_->settings.saturated_cooldown);
    }
    if (outcome.code == ErrorCode::runner_died) {
      node.set_resident(runner, false);
      runner.known_at = now;
    }
    if (outcome.code == ErrorCode::model_absent) {
      // Not asked again for it until the next poll says that it has it.
      leave_lane(*request->lane, node);
      std::erase_if(node.served, [&](const Served& served) { return served.lane == request->lane; });
      dispatcher_->refuse_stranded(*request->lane, now, actions);
      dispatcher_->dispatch_lane(*request->lane, now, actions);  // a load elsewhere may be due
    }
  }
  // What began before an outage says nothing of the node after it.
  const bool stale = node.removed || request->recoveries_at_start != node.recoveries;
  Lane& lane = *request->lane;
  dispatcher_->stop(*request, now);
  dispatcher_->forget(*request);
  const auto evidence = evidence_of(outcome);
  if (evidence && !stale) judge(*dispatcher_, node, *evidence, now, actions);
  settle(*dispatcher_, node, runner, lane, now, actions);
}

void Scheduler::cancelled(RequestId id, Mono now, Actions& actions) {
  Request* request = dispatcher_->requests.find(id);
  if (request == nullptr) return;
  Lane& lane = *request->lane;
  if (request->node != nullptr) {
    Node& node = *request->node;
    Runner& runner = *request->runner;
    dispatcher_->stop(*request, now);
    dispatcher_->forget(*request);
    settle(*dispatcher_, node, runner, lane, now, actions);
    return;
  }
  dispatcher_->leave_line(*request);
  dispatcher_->forget(*request);
  dispatcher_->dispatch_lane(lane, now, actions);  // it may have stood before others, or held a claim
}

void Scheduler::loaded(LoadToken token, const LoadOutcome& outcome, Mono now, Actions& actions) {
  const auto found = std::ranges::find_if(
      dispatcher_->nodes, [&](const auto& entry) { return entry.second.load && entry.second.load->token == token; });
  if (found == dispatcher_->nodes.end()) return;
  Node& node = found->second;
  const NodeLoad load = *node.load;
  Runner& runner = *load.runner;
  dispatcher_->end_load(node);

  if (!outcome.failed) {
    node.set_resident(runner, true);
    runner.need = load.need;
    runner.known_at = now;
  } else if (*outcome.failed == ErrorCode::server_busy) {
    node.no_loads_until = after(now, dispatcher_->settings.saturated_cooldown);
  } else {
    node.set_resident(runner, false);
    runner.known_at = now;
    runner.no_load_until = after(now, dispatcher_->settings.failed_load_cooldown);
    if (never_reached(*outcome.failed)) judge(*dispatcher_, node, Evidence::request_failed, now, actions);
  }
  dispatcher_->reroute(node, now, actions);
  drop_if_unused(*dispatcher_, node, runner);
  dispatcher_->forget_if_empty(*load.lane);
}

void Scheduler::tick(Mono now, Actions& actions) {
  for (auto& [id, node] : dispatcher_->nodes) judge(*dispatcher_, node, Evidence::time_passed, now, actions);
  dispatcher_->expire(now, kExpiriesPerTick, actions);
  dispatcher_->look_again(kLanesPerTick, now, actions);
}

// ---- status
// ----------------------------------------------------------------------------------------------------------

Snapshot Scheduler::snapshot(Mono now) const {
  Snapshot snapshot{.nodes = {},
                    .models = {},
                    .waiting = dispatcher_->waiting,
                    .in_flight = dispatcher_->requests.size() - dispatcher_->waiting,
                    .retries = dispatcher_->budget.in_use(),
                    .retry_limit = dispatcher_->budget.limit(dispatcher_->requests.size())};
  for (const auto& [id, node] : dispatcher_->nodes) {
    NodeSnapshot& copy = snapshot.nodes.emplace_back();
    copy.id = id;
    copy.health = node.health.state();
    copy.why = node.health.why();
    copy.since = node.health.since();
    copy.draining = node.draining || node.removed;
    copy.load_saturated = now < node.no_loads_until;
    copy.weight = node.spec.weight;
    copy.in_flight = node.in_flight;
    if (node.load) copy.loading = LoadSnapshot{.model = node.load->lane->model, .since = node.load->since};
    for (const Served& served : node.served) copy.waiting += served.lane->line.size();
    for (const auto& [key, runner] : node.runners) {
      RunnerSnapshot& runner_copy = copy.runners.emplace_back();
      runner_copy.key = key;
      runner_copy.resident = runner.resident;
      runner_copy.slots = runner.slots.slots();
      runner_copy.automatic_slots = runner.slots.automatic();
      runner_copy.in_flight = runner.in_flight;
      runner_copy.context = runner.context;
      runner_copy.need = runner.need;
      for (const Served& served : node.served) {
        if (served.runner == &runner) runner_copy.models.push_back(served.lane->model);
      }
    }
  }
  for (const auto& [model, lane] : dispatcher_->lanes) {
    snapshot.models.push_back({.model = model,
                               .waiting = lane.line.size(),
                               .in_flight = lane.running,
                               .oldest = lane.line.empty() ? std::nullopt : std::optional(lane.line.first()->arrival)});
  }
  return snapshot;
}

}  // namespace drover::balance
