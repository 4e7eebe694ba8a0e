#include "balance/survey.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "balance/route.h"

namespace drover::balance {
namespace {

// How long a price holds that changes by time alone: of what will be free or loaded soon, and of what a load pushes
// out.
constexpr Duration kSoonHolds = std::chrono::milliseconds(50);
constexpr Duration kEvictionHolds = std::chrono::seconds(1);
constexpr Duration kLikelihoodHolds = std::chrono::seconds(1);

// How far a place of the lane is from starting a request with this need.
Readiness readiness(const Lane& lane, const Place& place, LoadNeed need, const SchedulerSettings& settings, Mono now) {
  const Node& node = *place.node;
  const Runner& runner = *place.runner;
  if (!node.usable() || !place.allowed()) return Readiness::absent;
  if (node.load && node.load->runner == &runner) {
    return lane.suffices(runner, node.load->need, need) ? Readiness::busy : Readiness::blocked;
  }
  if (runner.leak != Leak::none || node.makes_room(runner)) return Readiness::blocked;
  const bool admitted = node.admits(now) && !node.held_for_load(runner, now, settings.load_patience);
  if (runner.resident && lane.suffices(runner, runner.need, need)) {
    const bool closed = runner.claimant != nullptr && runner.starts_past_claim >= kStartsPastClaim;
    if (closed && node.can_load(runner, now)) return Readiness::blocked;
    return admitted && runner.in_flight < runner.slots.slots() ? Readiness::ready : Readiness::busy;
  }
  if (!admitted || !node.can_load(runner, now)) return Readiness::blocked;
  return runner.resident && runner.in_flight > 0 ? Readiness::occupied : Readiness::cold;
}

// When what was seen of a place may become otherwise although nothing happens there.
Mono valid_until(const Place& place, Readiness readiness, bool priced, const SchedulerSettings& settings, Mono now) {
  const Node& node = *place.node;
  if (node.health.limits()) return now;
  Mono until = kNever;
  const auto at = [&](Mono time) {
    if (now < time) until = std::min(until, time);
  };
  const bool is_plain = readiness == Readiness::ready && !node.load && place.runner->claimant == nullptr;
  if (is_plain && !node.gpu) return until;
  at(node.no_loads_until);
  at(place.runner->no_load_until);
  if (node.gpu) at(after(node.gpu->at, settings.gpu_report_age));
  if (node.load && node.load->runner != place.runner) at(after(node.load->since, settings.load_patience));
  if (priced && readiness == Readiness::busy) at(after(now, kSoonHolds));
  if (priced && readiness == Readiness::cold && node.full_for(*place.runner, now)) at(after(now, kEvictionHolds));
  return until;
}

}  // namespace

void Survey::refresh(Lane& lane, std::size_t index, const SchedulerSettings& settings, Mono now) {
  Place& place = lane.places[index];
  const Node& node = *place.node;
  const Runner& runner = *place.runner;
  const bool priced = lane.route->estimates;

  Candidate& candidate = lane.candidates[index];
  candidate.node = node.spec.id;
  candidate.readiness = readiness(lane, place, LoadNeed{}, settings, now);
  candidate.resident = runner.resident;
  candidate.evicts = node.full_for(runner, now);
  candidate.slots = runner.slots.slots();
  candidate.in_flight = runner.in_flight;
  candidate.node_in_flight = node.in_flight;
  candidate.weight = node.spec.weight * node.health.weight_factor(priced);
  candidate.identity = node.spec.identity;
  candidate.gpu = node.gpu_load(settings.gpu_report_age, now);

  place.version = node.version;
  place.valid_until = valid_until(place, candidate.readiness, priced, settings, now);
  const bool there = candidate.readiness != Readiness::absent;
  place.free_slot = candidate.readiness == Readiness::ready;
  place.loadable = false;
  if (there && !place.free_slot && !(node.load && node.load->runner == &runner) && !node.makes_room(runner)) {
    place.free_slot =
        runner.resident && runner.leak == Leak::none && runner.in_flight < runner.slots.slots() && node.admits(now);
    place.loadable = !runner.resident || !lane.suffices(runner, runner.need, {});
  }
  if (!priced || !there) return;
  place.prices = prices_of(lane, place, candidate.readiness, prefixes_, now, place.follows_habits);
  place.tariff = tariff_of(place.prices, candidate.weight, seconds(settings.first_token_goal));
  if (place.prices.displaced > 0) place.valid_until = std::min(place.valid_until, after(now, kLikelihoodHolds));
}

// Brings up to date what is not. Most looks find a place or two, so what is asked of all others is as little as can be.
void Survey::refresh_changed(Lane& lane, const SchedulerSettings& settings, Mono now) {
  const bool new_habits = lane.habits_then != lane.habits.version;
  lane.habits_then = lane.habits.version;
  for (const Place& place : lane.places) {
    const bool same = place.version == place.node->version && now < place.valid_until;
    if (same && !(new_habits && place.follows_habits)) continue;
    const auto index = static_cast<std::size_t>(&place - lane.places.data());
    const Candidate& candidate = lane.candidates[index];
    lane.usable -= candidate.readiness != Readiness::absent ? 1 : 0;
    lane.ready -= candidate.readiness == Readiness::ready ? 1 : 0;
    lane.with_free_slot -= place.free_slot ? 1 : 0;
    lane.loadable -= place.loadable ? 1 : 0;
    refresh(lane, index, settings, now);
    lane.usable += candidate.readiness != Readiness::absent ? 1 : 0;
    lane.ready += candidate.readiness == Readiness::ready ? 1 : 0;
    lane.with_free_slot += place.free_slot ? 1 : 0;
    lane.loadable += place.loadable ? 1 : 0;
  }
}

Survey::Room Survey::look(const Request& request, const SchedulerSettings& settings, Mono now) {
  Lane& lane = *request.lane;
  lane_ = &lane;
  work_ = work_of(request);
  goal_ = seconds(settings.first_token_goal);
  refresh_changed(lane, settings, now);
  Room room{.free_slot = lane.with_free_slot > 0, .loadable = lane.loadable > 0};
  usable_ = lane.usable;
  const Policy& policy = *lane.route->policy;
  own_ = request.pinned || !request.excluded.empty() || request.need != LoadNeed{} || policy.first_only();
  if (own_) list_for(request, settings, now);
  // A claim, or a load with other options, is possible wherever the model is not on its way already.
  if (lane.line.special_needs() > 0 || request.need != LoadNeed{}) {
    room.loadable |= std::ranges::any_of(lane.places, [](const Place& place) {
      const bool loading = place.node->load && place.node->load->runner == place.runner;
      return place.node->usable() && place.allowed() && !loading;
    });
  }
  if (lane.route->estimates) price_all(request, now);
  return room;
}

// Those that the request may use, as they are for what it needs; of a policy that wants the first only, that one.
void Survey::list_for(const Request& request, const SchedulerSettings& settings, Mono now) {
  Lane& lane = *request.lane;
  special_.clear();
  special_places_.clear();
  for (std::size_t i = 0; i < lane.places.size(); ++i) {
    Place& place = lane.places[i];
    if (lane.candidates[i].readiness == Readiness::absent || !request.may_use(place.node->spec.id)) continue;
    Candidate candidate = lane.candidates[i];
    candidate.readiness = readiness(lane, place, request.need, settings, now);
    special_.push_back(candidate);
    special_places_.push_back(&place);
  }
  if (lane.route->policy->first_only() && !special_.empty()) {
    const auto first = std::ranges::min_element(special_places_, {}, &Place::rank) - special_places_.begin();
    special_ = {special_[static_cast<std::size_t>(first)]};
    special_places_ = {special_places_[static_cast<std::size_t>(first)]};
  }
  usable_ = special_.size();
}

void Survey::price_all(const Request& request, Mono now) {
  Lane& lane = *request.lane;
  any_cached_ = prefixes_.look_up(request.prompt.prefix, request.salt);
  if (own_ || any_cached_ || last_promise_ == promises_) {
    const std::span<Candidate> all = own_ ? std::span(special_) : std::span(lane.candidates);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].cost = cost(estimate(i, now), all[i].weight, goal_);
    return;
  }
  Candidate* candidate = lane.candidates.data();
  for (const Place& place : lane.places) candidate++->cost = place.tariff.cost(work_, goal_);
}

const Prices& Survey::prices(std::size_t candidate, Mono now, Prices& own) const {
  const Place& its_place = place(candidate);
  if (!own_) return its_place.prices;
  bool ignored = false;
  const Readiness its_readiness = special_[candidate].readiness;
  const auto index = static_cast<std::size_t>(&its_place - lane_->places.data());
  if (its_readiness == lane_->candidates[index].readiness) return its_place.prices;
  return own = prices_of(*lane_, its_place, its_readiness, prefixes_, now, ignored);
}

Estimate Survey::estimate(std::size_t candidate, Mono now) const {
  const Runner& runner = *place(candidate).runner;
  if (!own_) return balance::estimate(place(candidate).prices, work_, cached(runner), ahead(runner));
  Prices own;
  return balance::estimate(prices(candidate, now, own), work_, cached(runner), ahead(runner));
}

namespace {

// All but what an estimate takes from the request's own prompt and from promises.
void write(Option& option, const Candidate& seen, const Prices& prices) {
  option.node = seen.node;
  option.readiness = seen.readiness;
  option.slots = seen.slots;
  option.in_flight = seen.in_flight;
  option.weight = seen.weight;
  option.prices = prices;
  option.cached = option.ahead = 0;
}

}  // namespace

void Survey::write_down(std::size_t candidate, Option& option, Mono now) const {
  const Runner& runner = *place(candidate).runner;
  Prices own;
  write(option, candidates()[candidate], prices(candidate, now, own));
  option.cached = cached(runner);
  option.ahead = ahead(runner);
}

void Survey::write_down(DecisionRecord& record, Mono now) const {
  record.work = work_;
  record.goal = goal_;
  record.looked_at = now;
  record.usable = usable_;
  const std::span<const Candidate> all = candidates();
  if (all.size() > DecisionRecord::kOptions) return write_down_best(record, now);
  record.written = static_cast<std::uint8_t>(all.size());
  if (own_ || any_cached_ || last_promise_ == promises_) return write_down_each(record, now);
  Option* option = record.options.data();
  const Candidate* candidate = all.data();
  for (const Place& place : lane_->places) write(*option++, *candidate++, place.prices);
}

void Survey::write_down_each(DecisionRecord& record, Mono now) const {
  for (std::size_t i = 0; i < record.written; ++i) write_down(i, record.options[i], now);
}

namespace {

// The best candidates seen so far: those of the least rank.
class Best {
 public:
  bool has_room_for(double rank) const { return rank < worst_; }
  [[gnu::noinline]] void take(std::size_t candidate, double rank) {
    Ranked mine{.rank = rank, .candidate = candidate};
    for (Ranked& other : taken_) {
      if (mine.rank < other.rank) std::swap(mine, other);
    }
    worst_ = taken_.back().rank;
  }
  std::size_t operator[](std::size_t place) const { return taken_[place].candidate; }

 private:
  struct Ranked {
    double rank = std::numeric_limits<double>::infinity();
    std::size_t candidate = 0;
  };
  double worst_ = std::numeric_limits<double>::infinity();
  std::array<Ranked, DecisionRecord::kOptions> taken_;
};

}  // namespace

// Those come first that can start it or will be able to, by cost, or else by how busy they are.
void Survey::write_down_best(DecisionRecord& record, Mono now) const {
  constexpr double kHopeless = 1e9;
  Best best;
  const bool priced = lane_->route->estimates;
  const std::span<const Candidate> all = candidates();
  for (std::size_t i = 0; i < all.size(); ++i) {
    double rank = priced ? all[i].cost : all[i].in_flight / all[i].weight;
    if (!best.has_room_for(rank) || all[i].readiness == Readiness::absent) continue;
    if (all[i].readiness > Readiness::cold) rank += kHopeless;
    if (best.has_room_for(rank)) best.take(i, rank);
  }
  record.written = static_cast<std::uint8_t>(std::min<std::size_t>(usable_, DecisionRecord::kOptions));
  for (std::size_t i = 0; i < record.written; ++i) write_down(best[i], record.options[i], now);
}

void Survey::include(std::size_t candidate, DecisionRecord& record, Mono now) const {
  const auto written = record.seen();
  if (written.size() == candidates().size()) return;
  const bool there = std::ranges::find(written, candidates()[candidate].node, &Option::node) != written.end();
  if (!there) write_down(candidate, record.options[written.size() - 1], now);
}

void Survey::promise(std::size_t candidate, double work) {
  Runner& runner = *place(candidate).runner;
  if (runner.promised_at != promises_) runner.promised = 0;
  runner.promised_at = last_promise_ = promises_;
  runner.promised += work;
}

double Survey::capacity(Mono now) const {
  double rate = 0;
  const auto all = candidates();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool in_use = all[i].readiness == Readiness::busy || all[i].readiness == Readiness::ready;
    if (in_use) rate += all[i].slots / estimate(i, now).work();
  }
  return rate;
}

void Survey::promise_busy(std::size_t count, Mono now) {
  double rate = 0;  // requests a second that they end
  const auto all = candidates();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].readiness == Readiness::busy) rate += all[i].slots / estimate(i, now).work();
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].readiness == Readiness::busy) promise(i, static_cast<double>(count) * all[i].slots / rate);
  }
}

}  // namespace drover::balance
