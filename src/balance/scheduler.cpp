#include "balance/scheduler.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "balance/dispatcher.h"
#include "balance/estimate.h"
#include "balance/evidence.h"
#include "balance/inventory.h"
#include "base/check.h"

namespace drover::balance {
namespace {

constexpr std::size_t kExpiriesPerTick = 256;
constexpr std::size_t kLanesPerTick = 8;
// Who has not answered anything for so long is taken to be as fast as usual again. Else one that was slow for a while
// would get nothing by which it could show that it is not.
constexpr Duration kForgiven = std::chrono::minutes(1);

// Is it the only one that can serve some model of its own?
bool last_capable(const Node& node) {
  const auto usable = [](const Place& place) { return place.allowed() && place.node->usable(); };
  return std::ranges::any_of(node.served, [&](const Served& served) {
    return served.lane->place_on(node).allowed() && std::ranges::none_of(served.lane->places, [&](const Place& place) {
             return place.node != &node && usable(place);
           });
  });
}

// Health follows the evidence; where it changes, requests may start, or must go elsewhere.
void note(Dispatcher& dispatcher, Node& node, Evidence evidence, Mono now, Actions& actions) {
  const bool last = evidence == Evidence::request_failed && last_capable(node);
  const HealthReason why = node.health.why();
  const auto step = node.health.observe(evidence, last, now);
  if (step || node.health.why() != why) node.changed();  // its weight goes by both
  if (!step) return;
  if (why == HealthReason::answers_slow && step->to == Health::stable) {
    for (auto& [key, runner] : node.runners) runner.pace.restore(runner.speed);
  }
  actions.push_back(HealthChange{.node = node.spec.id, .from = step->from, .to = step->to, .why = step->why});
  if (step->to == Health::recovering) {
    node.begin_recovery();
    if (dispatcher.settings.health.trial) dispatcher.start_trial(node, now, actions);
  }
  if (step->to == Health::offline) {
    dispatcher.reroute(node, now, actions);
  } else {
    dispatcher.dispatch_node(node, now, actions);
  }
}

void forgive_slowness(Node& node, Mono now) {
  for (auto& [key, runner] : node.runners) {
    if (!runner.judged || runner.in_flight > 0 || now - runner.answered_at < kForgiven) continue;
    runner.pace.restore(runner.speed);
    runner.judged = false;
    node.changed();
  }
}

void drop_if_gone(Dispatcher& dispatcher, Node& node) {
  if (node.removed && node.in_flight == 0) dispatcher.nodes.erase(node.spec.id);
}

// A slot of `runner` is free: who waits for it? And what hung on that slot may be forgotten.
void settle(Dispatcher& dispatcher, Node& node, Runner& runner, Lane& lane, Mono now, Actions& actions) {
  if (runner.leak == Leak::emptying && runner.in_flight == 0) {
    runner.leak = Leak::unloading;
    runner.unload = UnloadToken{++dispatcher.unloads};
    actions.push_back(Unload{.token = runner.unload, .node = node.spec.id, .model = lane.model});
  }
  dispatcher.dispatch_runner(node, runner, now, actions);
  drop_if_unused(dispatcher, node, runner);
  dispatcher.forget_if_empty(lane);
  dispatcher.resume_load(node, now, actions);
  drop_if_gone(dispatcher, node);
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

// Does its place in the queue not exist? One that comes again since its node was lost had one already.
std::optional<Why> queue_full(const Dispatcher& dispatcher, const Submission& submission) {
  if (submission.retry == RetryKind::lost_node) return std::nullopt;
  if (dispatcher.waiting >= dispatcher.settings.max_queue) return Why::queue_full;
  const bool named = !submission.tenant.empty();
  if (named && dispatcher.tenants.waiting(submission.tenant) >= dispatcher.settings.max_queue_each) {
    return Why::tenant_queue_full;
  }
  return std::nullopt;
}

// What an attempt put on its tenant's account (served_tokens). What nobody counted is the part of the expected tokens
// for which there was time; a node's failure is not the tenant's.
double tokens_taken(const Request& request, const Outcome& outcome, const std::optional<NodeDurations>& durations,
                    Mono now) {
  if (durations) {
    return served_tokens(static_cast<double>(durations->prompt_tokens), static_cast<double>(durations->eval_tokens));
  }
  if (outcome.kind == Outcome::Kind::node_failed) return 0;
  if (outcome.answer_tokens) {
    const auto prompt = outcome.prompt_tokens ? static_cast<double>(*outcome.prompt_tokens) : work_of(request).prompt;
    return served_tokens(prompt, static_cast<double>(*outcome.answer_tokens));
  }
  const double expected = seconds(request.expected_end - request.started);
  const double part = expected <= 0 ? 1 : std::min(1.0, seconds(now - request.started) / expected);
  return part * request.tokens;
}

}  // namespace

Scheduler::Scheduler(const SchedulerSettings& settings, std::uint64_t seed)
    : dispatcher_(std::make_unique<Dispatcher>(settings, seed)) {}
Scheduler::~Scheduler() = default;

void Scheduler::update_settings(const SchedulerSettings& settings) { dispatcher_->configure(settings); }
const SchedulerSettings& Scheduler::settings() const { return dispatcher_->settings; }

// ---- the fleet

void Scheduler::update_node(const NodeSpec& spec, Mono now, Actions& actions) {
  CHECK(spec.weight > 0);
  Node& node = dispatcher_->nodes.try_emplace(spec.id, spec, dispatcher_->settings.health).first->second;
  if (node.removed) {
    node.removed = node.draining = false;
    node.health = HealthTracker(dispatcher_->settings.health);
  }
  node.spec = spec;
  for (auto& [key, runner] : node.runners) runner.slots.configure(spec.slots);
  for (const Served& served : node.served) served.lane->place_on(node).rank = served.lane->route->rank_of(spec.name);
  node.changed();
  dispatcher_->reroute(node, now, actions);
}

void Scheduler::drain(NodeId id, bool draining, Mono now, Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end()) return;
  found->second.draining = draining;
  found->second.changed();
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
  set_inventory(*dispatcher_, node, {}, now, now, actions);
  drop_if_gone(*dispatcher_, node);
}

void Scheduler::observe_inventory(NodeId id, std::span<const ModelOnNode> models, Mono asked, Mono now,
                                  Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end() || found->second.removed) return;
  Node& node = found->second;
  set_inventory(*dispatcher_, node, models, asked, now, actions);
  dispatcher_->resume_load(node, now, actions);
  dispatcher_->dispatch_node(node, now, actions);
}

void Scheduler::probed(NodeId id, const ProbeResult& result, Mono now, Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end() || found->second.removed) return;
  const auto evidence = result.failed ? Evidence::probe_failed : Evidence::probe_passed;
  note(*dispatcher_, found->second, evidence, now, actions);
}

void Scheduler::observe_gpu(NodeId id, GpuLoad load, Mono now) {
  const auto found = dispatcher_->nodes.find(id);
  if (found == dispatcher_->nodes.end()) return;
  Node& node = found->second;
  node.gpu = GpuReport{.load = load, .at = now, .in_flight = node.in_flight};
  node.changed();
}

bool Scheduler::try_node(NodeId id, Mono now, Actions& actions) {
  const auto found = dispatcher_->nodes.find(id);
  return found != dispatcher_->nodes.end() && dispatcher_->start_trial(found->second, now, actions);
}

// ---- requests

Decision Scheduler::submit(const Submission& submission, Actions& actions) {
  Dispatcher& dispatcher = *dispatcher_;
  const Mono now = submission.now;
  Lane* const found = dispatcher.find_lane(submission.model);
  if (found == nullptr || found->places.empty()) return Refused{.why = Why::no_such_model};
  if (submission.deadline <= now) return Refused{.why = Why::deadline};

  Lane& lane = *found;
  // Who waits goes first: time alone may have opened a slot since the last look.
  const bool estimates = lane.route->estimates;
  if (lane.line.size() < kLookahead || estimates) dispatcher.dispatch_lane(lane, now, actions);
  const auto full = queue_full(dispatcher, submission);
  const bool in_sight = lane.line.size() < kLookahead;
  Tenant& tenant = dispatcher.tenants.of(submission.tenant);
  const Priority priority = submission.priority.value_or(tenant.priority);
  const auto full_queue = [&] {
    lane.line.turned_away(tenant, now, dispatcher.settings.line);
    return Refused{.why = *full, .retry_after = dispatcher.retry_after(lane, tenant, priority, now)};
  };
  // Not even for a moment in its line: a name that nobody knew is forgotten again.
  const auto turned_away = [&](const Refused& refused) {
    dispatcher.tenants.release(tenant);
    return refused;
  };
  if (full && !in_sight) return turned_away(full_queue());
  if (submission.retry == RetryKind::budgeted && !dispatcher.budget.take(dispatcher.requests.size())) {
    return turned_away({.why = Why::budget_exhausted, .retry_after = dispatcher.retry_after(now)});
  }

  Request& request = dispatcher.requests.add(submission.request);
  request.lane = &lane;
  request.arrival = submission.arrival;
  request.deadline = submission.deadline;
  request.need = submission.need;
  request.excluded.assign(submission.excluded.begin(), submission.excluded.end());
  request.pinned = submission.pinned;
  request.retry = submission.retry;
  request.affinity = submission.affinity;
  request.prompt = submission.prompt;
  request.salt = lane.salt();
  if (dispatcher.settings.tenant_caches) request.salt ^= std::hash<std::string_view>{}(submission.tenant);

  auto room = dispatcher.survey(request, now);
  lane.line.admit(request, tenant, priority, served_tokens(dispatcher.work().prompt, dispatcher.work().answer));
  if (estimates && !in_sight && room.free_slot) {
    dispatcher.promise_busy(lane.line.size() - kLookahead, now);
    room = dispatcher.survey(request, now);
  }
  DecisionRecord* const record = dispatcher.log.open(submission, *lane.route, request.decision);
  if (record != nullptr) dispatcher.write_down(*record, now);
  if (in_sight || (estimates && room.free_slot)) {
    if (const auto bound = dispatcher.best(request, now)) {
      if (record != nullptr) dispatcher.include(*bound, *record, now);
      dispatcher.start(request, *bound, false, now);
      return Start{.node = bound->place->node->spec.id,
                   .reason = bound->reason,
                   .context = dispatcher.fit_on(*bound->place, request),
                   .expected = request.expected_end - now};
    }
  }
  auto refused = dispatcher.stranded(now);
  if (!refused && full) refused = full_queue();
  if (refused) {
    if (record != nullptr) record->refuse(refused->why, now);
    dispatcher.forget(request);
    return *refused;
  }

  dispatcher.join_line(request, now);
  const Queued queued{.position = lane.line.position(request), .wait = dispatcher.expected_wait(request, now)};
  if (record != nullptr) record->wait(queued);
  if (in_sight) {
    if (room.loadable) dispatcher.consider_load(request, queued.position - 1, now, actions);
  } else if (queued.position <= kLookahead) {
    dispatcher.dispatch_lane(lane, now, actions);
  }
  return queued;
}

void Scheduler::finished(RequestId id, NodeId node_id, const Outcome& outcome,
                         const std::optional<NodeDurations>& durations, Mono now, Actions& actions) {
  Request* request = dispatcher_->requests.find(id);
  CHECK(request != nullptr && request->node != nullptr && request->node->spec.id == node_id);
  Node& node = *request->node;
  Runner& runner = *request->runner;
  if (outcome.kind == Outcome::Kind::ok) {
    runner.answered_at = now;
    if (runner.leak == Leak::emptying) runner.leak = Leak::none;  // it does answer
  }
  std::optional<double> times_usual;
  if (durations && outcome.kind == Outcome::Kind::ok) {
    learn_slots(*request, *durations, now);
    times_usual = learn(*request, *durations, dispatcher_->prefixes);
    runner.judged = true;
  }

  if (outcome.kind == Outcome::Kind::node_failed) {
    if (outcome.code == ErrorCode::server_busy) {
      node.no_loads_until = after(now, dispatcher_->settings.saturated_cooldown);
    }
    // Only a request that needs a load meets a full load queue: the model has gone, unless the node answers others by
    // it.
    const bool is_gone = outcome.code == ErrorCode::server_busy && !writes_for_others(runner, *request, now);
    if (outcome.code == ErrorCode::runner_died || is_gone) {
      node.set_resident(runner, false);
      runner.known_at = now;
    }
    if (outcome.code == ErrorCode::model_absent) lose_model(*dispatcher_, node, *request->lane, now, actions);
  }
  node.changed();
  // What began before an outage says nothing of the node after it.
  const bool stale = node.removed || request->recoveries_at_start != node.recoveries;
  Lane& lane = *request->lane;
  if (DecisionRecord* const record = dispatcher_->log.find(request->decision)) record->end(outcome, durations, now);
  dispatcher_->stop(*request, tokens_taken(*request, outcome, durations, now), now);
  dispatcher_->forget(*request);
  auto evidence = evidence_of(outcome);
  if (times_usual && evidence == Evidence::request_served) {
    const bool slow = *times_usual >= dispatcher_->settings.health.slow_factor;
    evidence = slow ? Evidence::served_slowly : Evidence::served_as_usual;
  }
  if (evidence && !stale) note(*dispatcher_, node, *evidence, now, actions);
  settle(*dispatcher_, node, runner, lane, now, actions);
}

void Scheduler::cancelled(RequestId id, Mono now, Actions& actions) {
  Request* request = dispatcher_->requests.find(id);
  if (request == nullptr) return;
  Lane& lane = *request->lane;
  DecisionRecord* const record = dispatcher_->log.find(request->decision);
  if (request->node != nullptr) {
    Node& node = *request->node;
    Runner& runner = *request->runner;
    if (record != nullptr) record->end({.kind = Outcome::Kind::client_cancelled}, std::nullopt, now);
    dispatcher_->stop(*request, 0, now);
    dispatcher_->forget(*request);
    settle(*dispatcher_, node, runner, lane, now, actions);
    return;
  }
  if (record != nullptr) record->leave(now);
  dispatcher_->leave_line(*request);
  dispatcher_->forget(*request);
  dispatcher_->dispatch_lane(lane, now, actions);  // it may have stood before others, or held a claim
}

bool Scheduler::waits_in_vain(RequestId id, Mono now) {
  Request* request = dispatcher_->requests.find(id);
  return request != nullptr && request->node != nullptr &&
         balance::waits_in_vain(*request, dispatcher_->settings.leak, now);
}

void Scheduler::unloaded(UnloadToken token, bool done, Mono now, Actions& actions) {
  for (auto& [id, node] : dispatcher_->nodes) {
    const auto found = std::ranges::find_if(node.runners, [&](const auto& entry) {
      return entry.second.leak == Leak::unloading && entry.second.unload == token;
    });
    if (found == node.runners.end()) continue;
    Runner& runner = found->second;
    runner.leak = Leak::none;
    runner.no_unload_until = after(now, dispatcher_->settings.leak.pause);
    if (done) {
      node.set_resident(runner, false);
      runner.known_at = now;
    }
    node.changed();
    dispatcher_->resume_load(node, now, actions);
    dispatcher_->reroute(node, now, actions);
    return;
  }
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
    runner.context.saw(outcome.context, runner.need);
    runner.known_at = now;
    runner.load_time.add(seconds(now - load.since));
    load.lane->habits.load_time.add(seconds(now - load.since));
    // Who wanted these options may have come to stand far behind those that want others.
    if (load.need != LoadNeed{}) dispatcher_->start_first_on(runner, *load.lane, now, actions);
  } else if (*outcome.failed == ErrorCode::server_busy) {
    node.no_loads_until = after(now, dispatcher_->settings.saturated_cooldown);
    runner.context.load_refused();
  } else {
    node.set_resident(runner, false);
    runner.known_at = now;
    runner.no_load_until = after(now, dispatcher_->settings.failed_load_cooldown);
    if (never_reached(*outcome.failed)) note(*dispatcher_, node, Evidence::request_failed, now, actions);
  }
  dispatcher_->reroute(node, now, actions);
  dispatcher_->dispatch_lane(*load.lane, now, actions);  // which the node may serve no more
  drop_if_unused(*dispatcher_, node, runner);
  dispatcher_->forget_if_empty(*load.lane);
}

void Scheduler::tick(Mono now, Actions& actions) {
  for (auto& [id, node] : dispatcher_->nodes) {
    note(*dispatcher_, node, Evidence::time_passed, now, actions);
    dispatcher_->resume_load(node, now, actions);
    forgive_slowness(node, now);
  }
  dispatcher_->expire(now, kExpiriesPerTick, actions);
  dispatcher_->look_again(kLanesPerTick, now, actions);
}

Mono Scheduler::next_deadline() const { return dispatcher_->next_deadline(); }

Snapshot Scheduler::snapshot(Mono now) const {
  Snapshot whole;
  while (add_to(whole, std::numeric_limits<std::size_t>::max(), now)) {
  }
  return whole;
}
bool Scheduler::look(DecisionSearch& search, std::size_t most) const { return dispatcher_->log.look(search, most); }

bool Scheduler::add_to(Snapshot& snapshot, std::size_t most, Mono now) const {
  return balance::add_to(snapshot, most, *dispatcher_, now);
}

}  // namespace drover::balance
