#include "balance/dispatcher.h"

#include <algorithm>

#include "balance/cold_start.h"
#include "balance/estimate.h"
#include "base/check.h"

namespace drover::balance {
namespace {

constexpr Duration kSoonest = std::chrono::seconds(1);
constexpr Duration kLatest = std::chrono::seconds(60);
constexpr Duration kUnknownWait = std::chrono::seconds(5);  // a probe interval
// A model that was loaded stays for so many times what that took, while others wait for it: so switching takes no more
// than a fifth of the time, and requests for a model are served together.
constexpr double kStays = 4;

Duration to_duration(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(seconds, 1e6)));
}

}  // namespace

Dispatcher::Dispatcher(const SchedulerSettings& initial, std::uint64_t seed)
    : settings(initial),
      tenants(initial.tenants),
      routes(initial),
      budget(initial.retry_budget),
      prefixes(initial.prefix_entries),
      log(initial.decisions),
      survey_(prefixes),
      random_(seed) {
  if (routes.estimates()) prefixes.prepare();
}

void Dispatcher::configure(const SchedulerSettings& changed) {
  if (changed.prefix_entries != settings.prefix_entries) {
    prefixes = PrefixIndex(changed.prefix_entries);
    for (auto& [id, node] : nodes) {
      for (auto& [key, runner] : node.runners) runner.cache = kNoCache;
    }
  }
  log.resize(changed.decisions);
  settings = changed;
  tenants.configure(changed.tenants);
  routes = Routes(changed);
  if (routes.estimates()) prefixes.prepare();
  for (auto& [model, lane] : lanes) find_route(lane);
  budget.set_settings(changed.retry_budget);
  for (auto& [id, node] : nodes) {
    node.health.set_settings(changed.health);
    node.changed();
  }
}

void Dispatcher::find_route(Lane& lane) const {
  lane.route = &routes.of(lane.model);
  for (Place& place : lane.places) place.rank = lane.route->rank_of(place.node->spec.name);
  lane.places_changed();
}

// ---- one request

std::optional<Dispatcher::Bound> Dispatcher::best(const Request& request, Mono now) {
  const Route& route = *request.lane->route;
  const auto picked = route.policy->pick(survey_.candidates(),
                                         {.now = now,
                                          .random = random_,
                                          .previous = request.lane->previous,
                                          .affinity = request.affinity,
                                          .may_load = request.lane->loads < most_loads(*request.lane),
                                          .gpu_share = route.settings.gpu_percent / 100.0,
                                          .may_wait = !survey_.all_ready() && now - request.arrival < patience()});
  const auto* start = std::get_if<StartOn>(&picked);
  if (start == nullptr) {
    if (const auto awaited = std::get<WaitFor>(picked).candidate) promise(*awaited, now);
    return std::nullopt;
  }
  Reason reason = name(route.settings.policy);
  if (survey_.usable() == 1 && !route.policy->first_only()) reason = kOnlyOne;
  if (request.pinned) reason = kPinned;
  Bound bound{.place = &survey_.place(start->candidate),
              .candidate = start->candidate,
              .reason = reason,
              .estimate = {},
              .found = {},
              .continues = {},
              .context = survey_.work().context};
  if (route.estimates) {
    bound.estimate = survey_.estimate(start->candidate, now);
    bound.found = survey_.found(start->candidate);
    bound.continues = prefixes.continues();
  }
  return bound;
}

void Dispatcher::write_down(const Request& request, const Bound& bound, Mono now) {
  if (DecisionRecord* const record = log.find(request.decision)) {
    write_down(*record, now);
    include(bound, *record, now);
  }
}

void Dispatcher::promise(std::size_t candidate, Mono now) {
  survey_.promise(candidate, survey_.estimate(candidate, now).work());
}

std::optional<Refused> Dispatcher::stranded(Mono now) const {
  if (survey_.usable() == 0) return Refused{.why = Why::no_backend, .retry_after = kUnknownWait};
  Mono soonest = kNever;
  const auto candidates = survey_.candidates();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].readiness == Readiness::absent) continue;
    const Runner& runner = *survey_.place(i).runner;
    if (runner.resident || now >= runner.no_load_until) return std::nullopt;
    soonest = std::min(soonest, runner.no_load_until);
  }
  return Refused{.why = Why::load_failed, .retry_after = std::max(soonest - now, kSoonest)};
}

bool Dispatcher::start_trial(Node& node, Mono now, Actions& actions) {
  if (!node.usable() || node.load) return false;
  for (const Served& served : node.served) {
    Runner& runner = *served.runner;
    Place& place = served.lane->place_on(node);
    const bool warm = runner.resident && served.lane->suffices(runner, runner.need, {}) && runner.claimant == nullptr &&
                      runner.leak == Leak::none;
    if (!place.allowed() || !warm || runner.in_flight >= runner.slots.slots()) continue;
    Request& request = requests.add(RequestId{kFirstOwnRequest.value + trials_++});
    request.lane = served.lane;
    request.arrival = now;
    request.deadline = kNever;
    served.lane->line.admit(request, tenants.nameless(), Priority::normal, 0);
    const Bound bound{
        .place = &place, .candidate = 0, .reason = kPinned, .estimate = {}, .found = {}, .continues = {}, .context = 0};
    start(request, bound, false, now);
    actions.push_back(Trial{.request = request.id, .node = node.spec.id, .model = served.lane->model});
    return true;
  }
  return false;
}

void Dispatcher::start(Request& request, const Bound& bound, bool waited, Mono now) {
  Node& node = *bound.place->node;
  Runner& runner = *bound.place->runner;
  CHECK(request.node == nullptr && runner.in_flight < runner.slots.slots());
  request.node = &node;
  request.runner = &runner;
  request.started = now;
  request.in_flight_at_start = ++runner.in_flight;
  request.ended_at_start = runner.ended;
  request.recoveries_at_start = node.recoveries;
  ++node.in_flight;
  request.writing = 1 + bound.context;
  request.writing_at_start = node.writing += request.writing;
  ++request.lane->running;
  request.lane->line.started(request, waited, now);
  request.lane->previous = node.spec.id;
  if (runner.claimant != nullptr) ++runner.starts_past_claim;
  node.changed();

  runner.starts.add(now);
  node.starts.add(now);
  request.behind = std::exchange(runner.running, &request);
  if (request.behind != nullptr) request.behind->before = &request;
  request.expected_end = after(now, to_duration(bound.estimate.work()));
  if (request.lane->route->estimates) {
    if (runner.cache == kNoCache) runner.cache = prefixes.new_cache(runner.slots.slots());
    request.found = bound.found;
    if (prefixes.note(runner.cache, request.prompt.prefix, request.salt, now)) {
      request.lane->habits.returns.asked();
      if (bound.continues) request.lane->habits.returns.came_back(now - *bound.continues);
    }
  }
  request.prompt.prefix = {};
  request.prefix = {};
  if (DecisionRecord* const record = log.find(request.decision)) record->start(node.spec.id, bound.reason, now);
}

void Dispatcher::stop(Request& request, double tokens, Mono now) {
  CHECK(request.node != nullptr && request.runner->in_flight > 0 && request.node->in_flight > 0);
  request.node->changed();
  --request.runner->in_flight;
  --request.node->in_flight;
  request.node->writing = request.node->in_flight == 0 ? 0 : request.node->writing - request.writing;
  if (request.recoveries_at_start != request.node->recoveries) --request.node->stragglers;
  --request.lane->running;
  request.lane->line.ended(request, tokens);
  request.runner->note_end(now);
  (request.before == nullptr ? request.runner->running : request.before->behind) = request.behind;
  if (request.behind != nullptr) request.behind->before = request.before;
  request.before = request.behind = nullptr;
  request.node = nullptr;
  request.runner = nullptr;

  ends_.add(now);
}

void Dispatcher::join_line(Request& request, Mono now) {
  request.deadline = std::min(request.deadline, after(now, settings.queue_timeout));
  deadlines_.emplace(request.deadline, request.id);
  ++waiting;
  request.prefix.assign(request.prompt.prefix.begin(), request.prompt.prefix.end());
  request.prompt.prefix = request.prefix;
  request.lane->line.join(request, now, settings.line);
}

void Dispatcher::leave_line(Request& request) {
  release_claim(request);
  deadlines_.erase({request.deadline, request.id});
  --waiting;
  request.lane->line.leave(request);
}

void Dispatcher::release_claim(Request& request) {
  if (request.claims == nullptr) return;
  request.claims->claimant = nullptr;
  request.claims->starts_past_claim = 0;
  request.claims->node->changed();
  request.claims = nullptr;
  request.lane->claimant = nullptr;
}

void Dispatcher::forget(Request& request) {
  if (request.retry == RetryKind::budgeted) budget.give_back();
  requests.remove(request);
}

Lane& Dispatcher::lane_of(const std::string& model) {
  const auto [entry, is_new] = lanes.try_emplace(model, tenants);
  Lane& lane = entry->second;
  if (is_new) {
    lane.model = model;
    by_name_.emplace(entry->first, &lane);
    find_route(lane);
  }
  return lane;
}

Lane* Dispatcher::find_lane(std::string_view model) {
  if (found_ == nullptr || found_->model != model) {
    const auto found = by_name_.find(model);
    if (found == by_name_.end()) return nullptr;
    found_ = found->second;
  }
  return found_;
}

void Dispatcher::forget_if_empty(Lane& lane) {
  if (lane.places.empty() && lane.line.empty() && lane.running == 0 && lane.loads == 0) {
    if (found_ == &lane) found_ = nullptr;
    by_name_.erase(lane.model);
    lanes.erase(lanes.find(lane.model));
  }
}

void Dispatcher::refuse(Request& request, const Refused& refused, Mono now, Actions& actions) {
  actions.push_back(Refuse{.request = request.id, .why = refused.why, .retry_after = refused.retry_after});
  if (DecisionRecord* const record = log.find(request.decision)) record->refuse(refused.why, now);
  leave_line(request);
  forget(request);
}

Duration Dispatcher::retry_after(Mono now) const {
  if (ends_.value(now) < 1) return kUnknownWait;
  const double wait = static_cast<double>(waiting + 1) / ends_.a_second(now);
  return to_duration(std::clamp(wait, seconds(kSoonest), seconds(kLatest)));
}

Duration Dispatcher::retry_after(const Lane& lane, Tenant& tenant, Priority priority, Mono now) const {
  const auto wait = lane.line.wait_of_next(tenant, priority, now);
  if (!wait) return retry_after(now);
  return to_duration(std::clamp(*wait, seconds(kSoonest), seconds(kLatest)));
}

std::optional<Duration> Dispatcher::expected_wait(const Request& request, Mono now) const {
  const double capacity = request.lane->route->estimates ? survey_.capacity(now) : 0;
  const auto wait = request.lane->line.wait(request, now, capacity);
  if (!wait) return std::nullopt;
  return std::min(to_duration(*wait), std::max(request.deadline - now, Duration{}));  // then it waits no more
}

// ---- loads

unsigned Dispatcher::most_loads(const Lane& lane) const {
  constexpr std::size_t kNodesEach = 12;
  return std::max(settings.parallel_loads, static_cast<unsigned>(lane.places.size() / kNodesEach));
}

bool Dispatcher::stays(const Served& served, const Request& instead, Mono now) const {
  const Runner& runner = *served.runner;
  if (served.lane->line.empty() || now - instead.arrival >= patience()) return false;
  return seconds(now - runner.known_at) < kStays * load_time(runner, *served.lane);
}

void Dispatcher::start_load(const Request& request, Place& place, const Served* goes, Mono now, Actions& actions) {
  Node& node = *place.node;
  CHECK(!node.load);
  const LoadNeed need = place.runner->context.to_load(request.need, request.lane->route->settings.context);
  Runner* const victim = goes == nullptr ? nullptr : goes->runner;
  if (victim != nullptr && victim->claimant != nullptr) release_claim(*victim->claimant);
  node.load = NodeLoad{.token = LoadToken{++loads_},
                       .lane = request.lane,
                       .runner = place.runner,
                       .need = need,
                       .request = request.id,
                       .victim = victim,
                       .since = now};
  node.changed();
  ++request.lane->loads;
  request.lane->previous = node.spec.id;
  if (victim == nullptr || victim->in_flight == 0) ask_for_load(node, now, actions);
}

void Dispatcher::ask_for_load(Node& node, Mono now, Actions& actions) {
  NodeLoad& load = *node.load;
  load.asked_for = true;
  load.since = now;
  load.runner->context.begin_load();
  node.changed();
  Load ask{
      .token = load.token, .node = node.spec.id, .model = load.lane->model, .need = load.need, .request = load.request};
  const auto victim = std::ranges::find(node.served, load.victim, &Served::runner);
  if (victim != node.served.end() && victim->runner->resident) ask.evict = victim->lane->model;
  actions.push_back(std::move(ask));
}

void Dispatcher::resume_load(Node& node, Mono now, Actions& actions) {
  if (!node.load || node.load->asked_for) return;
  const NodeLoad& load = *node.load;
  const Request* const request = requests.find(load.request);
  const bool serves = std::ranges::find(node.served, load.lane, &Served::lane) != node.served.end();
  if (request != nullptr && request->node == nullptr && serves && node.usable()) {
    if (!load.victim->resident || load.victim->in_flight == 0) ask_for_load(node, now, actions);
    return;
  }
  Lane& lane = *load.lane;
  end_load(node);
  dispatch_node(node, now, actions);
  forget_if_empty(lane);
}

void Dispatcher::end_load(Node& node) {
  --node.load->lane->loads;
  node.load.reset();
  node.changed();
}

void Dispatcher::consider_load(Request& request, std::size_t waiting_before, Mono now, Actions& actions) {
  const ColdContext context{.waiting_before = waiting_before,
                            .loads_running = request.lane->loads,
                            .parallel_loads = most_loads(*request.lane),
                            .previous = request.lane->previous};
  const bool estimates = request.lane->route->estimates;
  const ColdChoice choice =
      estimates ? choose_by_estimate(survey_.candidates(), context) : choose_when_cold(survey_.candidates(), context);
  if (estimates && choice.candidate && choice.kind != ColdChoice::Kind::claim) promise(*choice.candidate, now);
  if (choice.kind == ColdChoice::Kind::claim) {
    Runner& runner = *survey_.place(*choice.candidate).runner;
    if (request.lane->claimant != nullptr || runner.claimant != nullptr) return;
    request.lane->claimant = &request;
    request.claims = &runner;
    runner.claimant = &request;
    runner.node->changed();
    return;
  }
  release_claim(request);
  if (choice.kind == ColdChoice::Kind::wait) return;
  Place& place = survey_.place(*choice.candidate);
  const Served* const goes = place.node->full_for(*place.runner, now) ? victim_of(*place.node, now).served : nullptr;
  if (goes != nullptr && stays(*goes, request, now)) return;
  if (place.runner->claimant != nullptr) release_claim(*place.runner->claimant);
  start_load(request, place, goes, now, actions);
}

void Dispatcher::consider_loads(Lane& lane, Mono now, Actions& actions) {
  survey_.forget_promises();
  // The claimant first: it may have come to stand far behind, and a runner is kept idle for it.
  if (lane.claimant != nullptr) {
    survey(*lane.claimant, now);
    consider_load(*lane.claimant, 0, now, actions);
  }
  std::size_t before = 0;
  for (Request* request : lane.line.first(kLookahead, now, settings.line)) {
    if (!survey(*request, now).loadable) return;
    if (request != lane.claimant) consider_load(*request, before, now, actions);
    ++before;
  }
  // Of those behind, one: it has the whole line before it.
  Request* last = lane.line.last();
  if (before < kLookahead || before >= lane.line.size() || last == lane.claimant) return;
  survey(*last, now);
  promise_busy(lane.line.size() - before - 1, now);
  if (survey(*last, now).loadable) consider_load(*last, lane.line.size() - 1, now, actions);
}

// ---- requests that wait

Duration Dispatcher::patience() const { return std::min(settings.spill_delay, settings.queue_timeout / 2); }

Dispatcher::Room Dispatcher::fill_slots(Lane& lane, Mono now, Actions& actions) {
  return lane.route->estimates ? fill_by_estimate(lane, now, actions) : fill_in_order(lane, now, actions);
}

Dispatcher::Room Dispatcher::fill_in_order(Lane& lane, Mono now, Actions& actions) {
  Room room;
  for (bool granted = true; granted && !lane.line.empty();) {
    granted = false;
    room = survey(*lane.line.first(1, now, settings.line).front(), now);
    if (!room.free_slot) break;
    for (Request* request : lane.line.first(kLookahead, now, settings.line)) {
      room = survey(*request, now);
      if (!room.free_slot) return room;
      granted |= grant_surveyed(*request, now, actions);
    }
  }
  return room;
}

Dispatcher::Room Dispatcher::fill_by_estimate(Lane& lane, Mono now, Actions& actions) {
  Room room;
  const std::size_t most =
      std::clamp<std::size_t>(kWeighed / std::max<std::size_t>(1, lane.places.size()), 1, kLookahead);
  while (!lane.line.empty()) {
    survey_.forget_promises();
    Request* chosen = nullptr;
    Bound bound{};
    std::size_t looked_at = 0;
    room = survey(*lane.line.first(1, now, settings.line).front(), now);
    if (!room.free_slot) return room;
    for (Request* request : lane.line.first(kLookahead, now, settings.line)) {
      survey(*request, now);
      const auto its = best(*request, now);
      ++looked_at;
      if (!its) continue;
      // What a cache has of a prompt moves it before its equals only.
      const bool equal = chosen == nullptr || (request->flow == chosen->flow && request->priority == chosen->priority);
      if (chosen == nullptr || (equal && its->estimate.saved > bound.estimate.saved)) {
        chosen = request;
        bound = *its;
        write_down(*request, bound, now);
      }
      // Who has waited long enough goes first whatever the others save.
      if (looked_at >= most || (looked_at == 1 && now - request->arrival >= patience())) break;
    }
    if (chosen == nullptr) break;
    grant(*chosen, bound, now, actions);
  }
  if (lane.line.size() > kLookahead) fill_from_behind(lane, now, actions);
  return room;
}

void Dispatcher::start_first_on(const Runner& runner, Lane& lane, Mono now, Actions& actions) {
  for (Request* request : lane.line.first(lane.line.size(), now, settings.line)) {
    if (!lane.suffices(runner, runner.need, request->need) || !request->may_use(runner.node->spec.id)) continue;
    if (survey(*request, now).free_slot) grant_surveyed(*request, now, actions);
    return;
  }
}

void Dispatcher::fill_from_behind(Lane& lane, Mono now, Actions& actions) {
  survey(*lane.line.last(), now);
  promise_busy(lane.line.size() - kLookahead - 1, now);
  while (lane.line.size() > kLookahead) {
    Request& last = *lane.line.last();
    survey(last, now);
    if (!grant_surveyed(last, now, actions)) return;
  }
}

ContextFit Dispatcher::fit_on(const Place& place, const Request& request) const {
  return place.runner->context.fit(place.runner->need, request.need, request.lane->route->settings.context);
}

void Dispatcher::grant(Request& request, const Bound& bound, Mono now, Actions& actions) {
  leave_line(request);
  start(request, bound, true, now);
  actions.push_back(Grant{.request = request.id,
                          .node = bound.place->node->spec.id,
                          .reason = bound.reason,
                          .context = fit_on(*bound.place, request),
                          .expected = request.expected_end - now});
}

bool Dispatcher::grant_surveyed(Request& request, Mono now, Actions& actions) {
  const auto bound = best(request, now);
  if (!bound) return false;
  write_down(request, *bound, now);
  grant(request, *bound, now, actions);
  return true;
}

void Dispatcher::dispatch_collected(Mono now, Actions& actions) {
  std::ranges::sort(to_dispatch_, {},
                    [](const Lane* lane) { return std::pair(lane->line.top(), lane->line.oldest()); });
  // Slots first, for all: a load may take a runner away from those that could have used it as it is.
  for (Lane*& lane : to_dispatch_) {
    if (!fill_slots(*lane, now, actions).loadable) lane = nullptr;
  }
  for (Lane* lane : to_dispatch_) {
    if (lane != nullptr) consider_loads(*lane, now, actions);
  }
}

void Dispatcher::dispatch_runner(Node& node, const Runner& runner, Mono now, Actions& actions) {
  if (waiting == 0) return;
  to_dispatch_.clear();
  for (const Served& served : node.served) {
    if (served.runner == &runner && !served.lane->line.empty()) to_dispatch_.push_back(served.lane);
  }
  dispatch_collected(now, actions);
}

void Dispatcher::dispatch_node(Node& node, Mono now, Actions& actions) {
  if (waiting == 0) return;
  to_dispatch_.clear();
  for (const Served& served : node.served) {
    if (!served.lane->line.empty()) to_dispatch_.push_back(served.lane);
  }
  dispatch_collected(now, actions);
}

void Dispatcher::dispatch_lane(Lane& lane, Mono now, Actions& actions) {
  if (lane.line.empty()) return;
  to_dispatch_.assign(1, &lane);
  dispatch_collected(now, actions);
}

void Dispatcher::refuse_stranded(Lane& lane, Mono now, Actions& actions) {
  bool plain_has_hope = false;  // a request that may go anywhere was seen to have somewhere to go
  for (Request* request : lane.line.first(lane.line.size(), now, settings.line)) {
    const bool plain = request->excluded.empty() && !request->pinned;
    if (plain && plain_has_hope) continue;
    survey(*request, now);
    const auto refused = stranded(now);
    if (refused) refuse(*request, *refused, now, actions);
    plain_has_hope |= plain && !refused;
  }
}

void Dispatcher::reroute(Node& node, Mono now, Actions& actions) {
  if (waiting == 0) return;
  for (const Served& served : node.served) refuse_stranded(*served.lane, now, actions);
  dispatch_node(node, now, actions);
}

void Dispatcher::expire(Mono now, std::size_t most, Actions& actions) {
  for (; most > 0 && !deadlines_.empty() && deadlines_.begin()->first <= now; --most) {
    Request* request = requests.find(deadlines_.begin()->second);
    refuse(*request, {.why = Why::deadline, .retry_after = retry_after(now)}, now, actions);
  }
}

void Dispatcher::look_again(std::size_t most, Mono now, Actions& actions) {
  if (waiting == 0) return;
  auto lane = lanes.upper_bound(looked_at_);
  for (std::size_t seen = 0, dispatched = 0; seen < lanes.size() && dispatched < most; ++seen, ++lane) {
    if (lane == lanes.end()) lane = lanes.begin();
    if (lane->second.line.empty()) continue;
    looked_at_ = lane->first;
    dispatch_lane(lane->second, now, actions);
    ++dispatched;
  }
}

}  // namespace drover::balance
