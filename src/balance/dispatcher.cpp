#include "balance/dispatcher.h"

#include <algorithm>
#include <cmath>

#include "balance/cold_start.h"
#include "balance/estimate.h"
#include "base/check.h"

namespace drover::balance {
namespace {

constexpr Duration kRateWindow = std::chrono::seconds(60);
constexpr Duration kRecent = std::chrono::seconds(30);
constexpr Duration kSoonest = std::chrono::seconds(1);
constexpr Duration kLatest = std::chrono::seconds(60);
constexpr Duration kUnknownWait = std::chrono::seconds(5);  // a probe interval

// Names of the same weights share a cache.
std::uint64_t salt_of(const Lane& lane) { return lane.places.empty() ? 0 : lane.places.front().runner->key.value; }

Duration to_duration(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(seconds, 1e6)));
}

}  // namespace

Dispatcher::Dispatcher(const SchedulerSettings& initial, std::uint64_t seed)
    : settings(initial),
      routes(initial),
      budget(initial.retry_budget),
      prefixes(initial.prefix_entries),
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
  settings = changed;
  routes = Routes(changed);
  if (routes.estimates()) prefixes.prepare();
  for (auto& [model, lane] : lanes) find_route(lane);
  budget.set_settings(changed.retry_budget);
  for (auto& [id, node] : nodes) node.health.set_settings(changed.health);
}

void Dispatcher::find_route(Lane& lane) const {
  lane.route = &routes.of(lane.model);
  for (Place& place : lane.places) place.rank = lane.route->rank_of(place.node->spec.name);
}

// ---- one request

Readiness Dispatcher::readiness(const Request& request, const Place& place, bool admits, Mono now) const {
  const Node& node = *place.node;
  const Runner& runner = *place.runner;
  if (node.load && node.load->runner == &runner) {
    return node.load->need == request.need ? Readiness::busy : Readiness::blocked;
  }
  const bool admitted = admits && !node.held_for_load(runner, now, settings.load_patience);
  if (runner.resident && runner.fits(request.need)) {
    const bool closed = runner.claimant != nullptr && runner.starts_past_claim >= kStartsPastClaim;
    if (closed && node.can_load(runner, now)) return Readiness::blocked;
    return admitted && runner.in_flight < runner.slots.slots() ? Readiness::ready : Readiness::busy;
  }
  if (!admitted || !node.can_load(runner, now)) return Readiness::blocked;
  return runner.resident && runner.in_flight > 0 ? Readiness::occupied : Readiness::cold;
}

Dispatcher::Room Dispatcher::survey(const Request& request, Mono now) {
  Room room;
  candidates_.clear();
  candidate_places_.clear();
  const bool special = request.lane->line.special_needs() > 0 || request.need != LoadNeed{};
  const bool choosy = request.pinned || !request.excluded.empty();
  for (Place& place : request.lane->places) {
    const Node& node = *place.node;
    const Runner& runner = *place.runner;
    if (!node.usable() || !place.allowed()) continue;
    const bool loading = node.load && node.load->runner == &runner;
    const bool admits = node.admits(now);
    room.free_slot |= runner.resident && !loading && runner.in_flight < runner.slots.slots() && admits;
    room.loadable |= !loading && (special || !runner.resident || !runner.fits(LoadNeed{}));

    if (choosy && !request.may_use(node.spec.id)) continue;
    Candidate& candidate = candidates_.emplace_back();
    candidate.node = node.spec.id;
    candidate.readiness = readiness(request, place, admits, now);
    candidate.resident = runner.resident;
    candidate.evicts = node.full();
    candidate.slots = runner.slots.slots();
    candidate.in_flight = runner.in_flight;
    candidate.node_in_flight = node.in_flight;
    candidate.weight = node.spec.weight * node.health.weight_factor();
    candidate.identity = node.spec.identity;
    candidate.turn = &place.turn;
    candidate_places_.push_back(&place);
  }
  if (request.lane->route->policy->first_only()) keep_first();
  if (request.lane->route->policy->estimates()) add_estimates(request, now);
  return room;
}

void Dispatcher::add_estimates(const Request& request, Mono now) {
  prefixes.look_up(request.prompt.prefix, salt_of(*request.lane));
  const Work work = work_of(request);
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const Place& place = *candidate_places_[i];
    const Runner& runner = *place.runner;
    const PlaceState state{.readiness = candidates_[i].readiness,
                           .promised = runner.promised_at == looks_ ? runner.promised : 0,
                           .cached_bytes = prefixes.found(runner.cache).bytes};
    candidates_[i].estimate = estimate(place, request, work, state, now);
  }
}

void Dispatcher::promise(std::size_t candidate) {
  add_promise(*candidate_places_[candidate]->runner, candidates_[candidate].estimate.work());
}

void Dispatcher::add_promise(Runner& runner, double work) const {
  if (runner.promised_at != looks_) runner.promised = 0;
  runner.promised_at = looks_;
  runner.promised += work;
}

void Dispatcher::promise_busy(std::size_t count) {
  double rate = 0;  // requests a second that they end
  for (const Candidate& candidate : candidates_) {
    if (candidate.readiness == Readiness::busy) rate += candidate.slots / candidate.estimate.work();
  }
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (candidates_[i].readiness != Readiness::busy) continue;
    add_promise(*candidate_places_[i]->runner, static_cast<double>(count) * candidates_[i].slots / rate);
  }
}

void Dispatcher::keep_first() {
  if (candidates_.empty()) return;
  const auto first = std::ranges::min_element(candidate_places_, {}, &Place::rank) - candidate_places_.begin();
  candidates_ = {candidates_[static_cast<std::size_t>(first)]};
  candidate_places_ = {candidate_places_[static_cast<std::size_t>(first)]};
}

std::optional<Dispatcher::Bound> Dispatcher::best(const Request& request, Mono now) {
  const Route& route = *request.lane->route;
  const auto picked = route.policy->pick(candidates_, {.now = now,
                                                       .random = random_,
                                                       .previous = request.lane->previous,
                                                       .affinity = request.affinity,
                                                       .may_load = request.lane->loads < settings.parallel_loads,
                                                       .may_wait = now - request.arrival < patience()});
  const auto* start = std::get_if<StartOn>(&picked);
  if (start == nullptr) {
    if (const auto awaited = std::get<WaitFor>(picked).candidate) promise(*awaited);
    return std::nullopt;
  }
  Reason reason = name(route.settings.policy);
  if (candidates_.size() == 1 && !route.policy->first_only()) reason = kOnlyOne;
  if (request.pinned) reason = kPinned;
  return Bound{.place = candidate_places_[start->candidate],
               .reason = reason,
               .estimate = candidates_[start->candidate].estimate,
               .found = prefixes.found(candidate_places_[start->candidate]->runner->cache)};
}

std::optional<Refused> Dispatcher::stranded(Mono now) const {
  if (candidates_.empty()) return Refused{.why = Why::no_backend, .retry_after = kUnknownWait};
  Mono soonest = kNever;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const Runner& runner = *candidate_places_[i]->runner;
    if (runner.resident || now >= runner.no_load_until) return std::nullopt;
    soonest = std::min(soonest, runner.no_load_until);
  }
  return Refused{.why = Why::load_failed, .retry_after = std::max(soonest - now, kSoonest)};
}

void Dispatcher::start(Request& request, const Bound& bound, Mono now) {
  Node& node = *bound.place->node;
  Runner& runner = *bound.place->runner;
  CHECK(request.node == nullptr && runner.in_flight < runner.slots.slots());
  request.node = &node;
  request.runner = &runner;
  request.started = now;
  request.in_flight_at_start = ++runner.in_flight;
  request.ended_at_start = runner.ended;
  request.recoveries_at_start = node.recoveries;
  request.batch_at_start = ++node.in_flight;
  ++request.lane->running;
  request.lane->previous = node.spec.id;
  if (runner.claimant != nullptr) ++runner.starts_past_claim;

  const double kept = std::exp(-seconds(now - runner.last_start) / seconds(kRateWindow));
  runner.start_rate = runner.start_rate * kept + 1 / seconds(kRateWindow);
  runner.last_start = now;
  request.behind = std::exchange(runner.running, &request);
  if (request.behind != nullptr) request.behind->before = &request;
  request.expected_end = after(now, to_duration(bound.estimate.work()));
  if (request.lane->route->policy->estimates()) {
    if (runner.cache == kNoCache) runner.cache = prefixes.new_cache();
    request.found = bound.found;
    prefixes.note(runner.cache, request.prompt.prefix, salt_of(*request.lane));
  }
  request.prompt.prefix = {};
  request.prefix = {};
}

void Dispatcher::stop(Request& request, Mono now) {
  CHECK(request.node != nullptr && request.runner->in_flight > 0 && request.node->in_flight > 0);
  --request.runner->in_flight;
  --request.node->in_flight;
  if (request.recoveries_at_start != request.node->recoveries) --request.node->stragglers;
  --request.lane->running;
  request.runner->note_end(now);
  (request.before == nullptr ? request.runner->running : request.before->behind) = request.behind;
  if (request.behind != nullptr) request.behind->before = request.before;
  request.before = request.behind = nullptr;
  request.node = nullptr;
  request.runner = nullptr;

  recent_ends_ = 1 + recent_ends_ * std::exp(-seconds(now - counted_at_) / seconds(kRecent));
  counted_at_ = now;
}

std::size_t Dispatcher::join_line(Request& request, Mono now) {
  request.deadline = std::min(request.deadline, after(now, settings.queue_timeout));
  deadlines_.emplace(request.deadline, request.id);
  ++waiting;
  request.prefix.assign(request.prompt.prefix.begin(), request.prompt.prefix.end());
  request.prompt.prefix = request.prefix;
  return request.lane->line.join(request);
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
  request.claims = nullptr;
  request.lane->claimant = nullptr;
}

void Dispatcher::forget(Request& request) {
  if (request.retry == RetryKind::budgeted) budget.give_back();
  requests.remove(request);
}

void Dispatcher::forget_if_empty(Lane& lane) {
  if (lane.places.empty() && lane.line.empty() && lane.running == 0 && lane.loads == 0) {
    lanes.erase(lanes.find(lane.model));
  }
}

void Dispatcher::refuse(Request& request, const Refused& refused, Actions& actions) {
  actions.push_back(Refuse{.request = request.id, .why = refused.why, .retry_after = refused.retry_after});
  leave_line(request);
  forget(request);
}

Duration Dispatcher::retry_after(Mono now) const {
  const double ends = recent_ends_ * std::exp(-seconds(now - counted_at_) / seconds(kRecent));
  if (ends < 1) return kUnknownWait;
  const double wait = static_cast<double>(waiting + 1) / ends * seconds(kRecent);
  return to_duration(std::clamp(wait, seconds(kSoonest), seconds(kLatest)));
}

// ---- loads

void Dispatcher::start_load(const Request& request, Place& place, Mono now, Actions& actions) {
  Node& node = *place.node;
  CHECK(!node.load);
  node.load = NodeLoad{
      .token = LoadToken{++loads_}, .lane = request.lane, .runner = place.runner, .need = request.need, .since = now};
  ++request.lane->loads;
  request.lane->previous = node.spec.id;
  actions.push_back(Load{.token = node.load->token,
                         .node = node.spec.id,
                         .model = request.lane->model,
                         .need = request.need,
                         .request = request.id});
}

void Dispatcher::end_load(Node& node) {
  --node.load->lane->loads;
  node.load.reset();
}

void Dispatcher::consider_load(Request& request, std::size_t waiting_before, Mono now, Actions& actions) {
  const ColdContext context{.waiting_before = waiting_before,
                            .loads_running = request.lane->loads,
                            .parallel_loads = settings.parallel_loads,
                            .previous = request.lane->previous};
  const bool estimates = request.lane->route->policy->estimates();
  const ColdChoice choice =
      estimates ? choose_by_estimate(candidates_, context) : choose_when_cold(candidates_, context);
  if (choice.candidate && choice.kind != ColdChoice::Kind::claim) promise(*choice.candidate);
  if (choice.kind == ColdChoice::Kind::claim) {
    Runner& runner = *candidate_places_[*choice.candidate]->runner;
    if (request.lane->claimant != nullptr || runner.claimant != nullptr) return;
    request.lane->claimant = &request;
    request.claims = &runner;
    runner.claimant = &request;
    return;
  }
  release_claim(request);
  if (choice.kind == ColdChoice::Kind::wait) return;
  Place& place = *candidate_places_[*choice.candidate];
  if (place.runner->claimant != nullptr) release_claim(*place.runner->claimant);
  start_load(request, place, now, actions);
}

void Dispatcher::consider_loads(Lane& lane, Mono now, Actions& actions) {
  ++looks_;
  // The claimant first: it may have come to stand far behind, and a runner is kept idle for it.
  if (lane.claimant != nullptr) {
    survey(*lane.claimant, now);
    consider_load(*lane.claimant, 0, now, actions);
  }
  std::size_t before = 0;
  for (Request* request = lane.line.first(); request != nullptr && before < kLookahead; request = request->behind) {
    if (!survey(*request, now).loadable) return;
    if (request != lane.claimant) consider_load(*request, before, now, actions);
    ++before;
  }
  // Of those behind, one: it has the whole line before it.
  Request* last = lane.line.last();
  if (before < kLookahead || before >= lane.line.size() || last == lane.claimant) return;
  survey(*last, now);
  promise_busy(lane.line.size() - before - 1);
  if (survey(*last, now).loadable) consider_load(*last, lane.line.size() - 1, now, actions);
}

// ---- requests that wait

Duration Dispatcher::patience() const { return std::min(settings.spill_delay, settings.queue_timeout / 2); }

Dispatcher::Room Dispatcher::fill_slots(Lane& lane, Mono now, Actions& actions) {
  return lane.route->policy->estimates() ? fill_by_estimate(lane, now, actions) : fill_in_order(lane, now, actions);
}

Dispatcher::Room Dispatcher::fill_in_order(Lane& lane, Mono now, Actions& actions) {
  Room room;
  Request* request = lane.line.first();
  for (std::size_t passed_over = 0; request != nullptr && passed_over < kLookahead;) {
    Request* behind = request->behind;
    room = survey(*request, now);
    if (!room.free_slot) break;
    if (const auto bound = best(*request, now)) {
      grant(*request, *bound, now, actions);
    } else {
      ++passed_over;
    }
    request = behind;
  }
  return room;
}

Dispatcher::Room Dispatcher::fill_by_estimate(Lane& lane, Mono now, Actions& actions) {
  Room room;
  const std::size_t most =
      std::clamp<std::size_t>(kWeighed / std::max<std::size_t>(1, lane.places.size()), 1, kLookahead);
  while (!lane.line.empty()) {
    ++looks_;
    Request* chosen = nullptr;
    Bound bound{};
    std::size_t looked_at = 0;
    for (Request* request = lane.line.first(); request != nullptr && looked_at < kLookahead;
         request = request->behind) {
      room = survey(*request, now);
      if (!room.free_slot) return room;
      const auto its = best(*request, now);
      ++looked_at;
      if (!its) continue;
      if (chosen == nullptr || its->estimate.saved > bound.estimate.saved) {
        chosen = request;
        bound = *its;
      }
      // Who has waited long enough goes first whatever the others save.
      if (looked_at >= most || (request == lane.line.first() && now - request->arrival >= patience())) break;
    }
    if (chosen == nullptr) break;
    grant(*chosen, bound, now, actions);
  }
  if (lane.line.size() > kLookahead) fill_from_behind(lane, now, actions);
  return room;
}

void Dispatcher::fill_from_behind(Lane& lane, Mono now, Actions& actions) {
  survey(*lane.line.last(), now);
  promise_busy(lane.line.size() - kLookahead - 1);
  while (lane.line.size() > kLookahead) {
    Request& last = *lane.line.last();
    survey(last, now);
    const auto bound = best(last, now);
    if (!bound) return;
    grant(last, *bound, now, actions);
  }
}

void Dispatcher::grant(Request& request, const Bound& bound, Mono now, Actions& actions) {
  leave_line(request);
  start(request, bound, now);
  actions.push_back(Grant{.request = request.id, .node = bound.place->node->spec.id, .reason = bound.reason});
}

void Dispatcher::dispatch_collected(Mono now, Actions& actions) {
  std::ranges::sort(to_dispatch_, {}, [](const Lane* lane) { return lane->line.first()->arrival; });
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
  for (Request* request = lane.line.first(); request != nullptr;) {
    Request* behind = request->behind;
    const bool plain = request->excluded.empty() && !request->pinned;
    if (!plain || !plain_has_hope) {
      survey(*request, now);
      const auto refused = stranded(now);
      if (refused) refuse(*request, *refused, actions);
      plain_has_hope |= plain && !refused;
    }
    request = behind;
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
    refuse(*request, {.why = Why::deadline, .retry_after = retry_after(now)}, actions);
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
