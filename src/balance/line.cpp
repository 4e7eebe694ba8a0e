#include "balance/line.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace drover::balance {
namespace {

// So many tenants that ask for nothing are kept, so that those who come and go are not made anew each time.
constexpr std::size_t kIdleFlows = 64;

// Overloaded is a tenant one of whose requests has waited so many times as long as it should, while so many times as
// many come as start, seen of so many that came.
constexpr int kFarTooLong = 3;
constexpr double kMoreCome = 1.05;
constexpr std::uint64_t kFewArrivals = 8;

std::size_t index(Priority priority) { return static_cast<std::size_t>(priority); }

// By arrival; one that is null is after all others, and before all others.
bool comes_before(const Request& a, const Request& b) {
  return std::pair(a.arrival, a.joined) < std::pair(b.arrival, b.joined);
}
Request* earlier(Request* a, Request* b) {
  if (a == nullptr || b == nullptr) return a == nullptr ? b : a;
  return comes_before(*b, *a) ? b : a;
}
Request* later(Request* a, Request* b) {
  if (a == nullptr || b == nullptr) return a == nullptr ? b : a;
  return comes_before(*b, *a) ? a : b;
}

}  // namespace

Request* Flow::Waiting::first() const { return earlier(in_time.first, late.first); }
Request* Flow::Waiting::last() const { return later(in_time.last, late.last); }

void Flow::begin_to_wait(Mono now) {
  pace.restart(now);
  late_pace.restart(now);
  overloaded = false;
  starts_since_late = 0;
}

// Many that come at once are no overload if no more come than start from then on: clients that ask again when they have
// an answer. The one that comes now may be such a one, so it does not count yet.
void Flow::note_arrival(Mono now, const LineRules& rules) {
  const bool stuck = rules.in_time > Duration{} && std::ranges::any_of(waiting, [&](const Waiting& its) {
                       return its.late.first != nullptr && now - its.late.first->arrival > kFarTooLong * rules.in_time;
                     });
  if (!stuck) {
    arrivals.restart(now);
    starts.restart(now);
  }
  overloaded = stuck && arrivals.count() >= kFewArrivals && arrivals.a_second(now) > kMoreCome * starts.a_second(now);
  arrivals.add(now);
}

Line::Line(Tenants& tenants) : tenants_(&tenants) { flow_of(tenants.nameless()); }

Line::~Line() {
  for (const auto& flow : flows_) {
    --flow->tenant->flows;
    tenants_->release(*flow->tenant);
  }
}

// ---- tenants

Flow* Line::find_flow(const Tenant& tenant) const {
  const auto found = std::ranges::find(flows_, &tenant, [](const auto& flow) { return flow->tenant; });
  return found == flows_.end() ? nullptr : found->get();
}

Flow& Line::flow_of(Tenant& tenant) {
  if (Flow* const known = find_flow(tenant)) return *known;
  forget_idle();
  ++tenant.flows;
  return *flows_.emplace_back(std::make_unique<Flow>(Flow{.tenant = &tenant}));
}

void Line::forget_idle() {
  const auto idle = [](const auto& flow) { return flow->idle() && !flow->tenant->name.empty(); };
  if (static_cast<std::size_t>(std::ranges::count_if(flows_, idle)) < kIdleFlows) return;
  std::erase_if(flows_, [&](const auto& flow) {
    if (!idle(flow)) return false;
    --flow->tenant->flows;
    tenants_->release(*flow->tenant);
    return true;
  });
}

void Line::raise(Flow& flow) const {
  bool any = false;
  double least = last_account_;
  for (const auto& other : flows_) {
    if (other.get() == &flow || other->idle()) continue;
    const double account = other->served / other->tenant->weight;
    least = any ? std::min(least, account) : account;
    any = true;
  }
  flow.served = std::max(flow.served, least * flow.tenant->weight);
}

void Line::note_idle(const Flow& flow) {
  if (flow.idle()) last_account_ = flow.served / flow.tenant->weight;
}

// ---- one request

void Line::admit(Request& request, Tenant& tenant, Priority priority, double tokens) {
  Flow& nameless = *flows_.front();
  request.flow = &tenant == nameless.tenant ? &nameless : &flow_of(tenant);
  request.priority = priority;
  request.tokens = tokens;
  if (flows_.size() > 1 && request.flow->size == 0) raise(*request.flow);
}

void Line::join(Request& request, Mono now, const LineRules& rules) {
  Flow& flow = *request.flow;
  Flow::Waiting& waiting = flow.waiting[index(request.priority)];
  if (size_ == 0) pace_.restart(now);
  if (flow.size == 0) flow.begin_to_wait(now);
  if (request.retry == RetryKind::first && waiting.in_time.size > 0) {
    const Place next{&flow, index(request.priority), waiting.in_time.size, waiting.in_time.tokens};
    request.late = wait(next, now, 0).value_or(0) > seconds(rules.in_time);
  }
  flow.note_arrival(now, rules);

  Flow::Chain& chain = waiting.chain_of(request);
  Request* before = chain.last;
  if (before != nullptr && request.arrival < before->arrival) {  // one that comes again is looked for a place
    before = nullptr;
    for (Request* other = chain.first; other->arrival <= request.arrival; other = other->behind) before = other;
  }
  request.joined = ++joins_;
  request.before = before;
  request.behind = before == nullptr ? chain.first : before->behind;
  (before == nullptr ? chain.first : before->behind) = &request;
  (request.behind == nullptr ? chain.last : request.behind->before) = &request;
  ++chain.size;
  chain.tokens += request.tokens;
  ++flow.size;
  ++flow.tenant->waiting;
  ++size_;
  ++class_size_[index(request.priority)];
  if (request.need != LoadNeed{}) ++special_needs_;
}

void Line::turned_away(const Tenant& tenant, Mono now, const LineRules& rules) {
  if (Flow* const flow = find_flow(tenant)) flow->note_arrival(now, rules);
}

void Line::leave(Request& request) {
  Flow& flow = *request.flow;
  Flow::Chain& chain = flow.waiting[index(request.priority)].chain_of(request);
  (request.before == nullptr ? chain.first : request.before->behind) = request.behind;
  (request.behind == nullptr ? chain.last : request.behind->before) = request.before;
  request.before = request.behind = nullptr;
  --chain.size;
  chain.tokens = chain.size == 0 ? 0 : chain.tokens - request.tokens;
  --flow.size;
  --flow.tenant->waiting;
  --size_;
  --class_size_[index(request.priority)];
  if (request.need != LoadNeed{}) --special_needs_;
  note_idle(flow);
}

void Line::started(Request& request, bool waited, Mono now) {
  Flow& flow = *request.flow;
  if (waited) {
    pace_.add(now);
    flow.pace.add(now);
    flow.starts.add(now);
    if (request.late) flow.late_pace.add(now);
    flow.starts_since_late = request.late ? 0 : flow.starts_since_late + 1;
  }
  flow.outstanding += request.tokens;
  ++flow.running;
  const bool before_others = size_ > 0 && index(request.priority) <= top();
  starts_since_aged_ = before_others ? starts_since_aged_ + 1 : 0;
}

void Line::ended(Request& request, double tokens) {
  Flow& flow = *request.flow;
  flow.served += tokens;
  --flow.running;
  flow.outstanding = flow.running == 0 ? 0 : flow.outstanding - request.tokens;
  note_idle(flow);
}

// ---- the order

std::size_t Line::top() const {
  return static_cast<std::size_t>(std::ranges::find_if(class_size_, [](std::size_t size) { return size > 0; }) -
                                  class_size_.begin());
}

Request* Line::aged(std::size_t top, Mono now, Duration aging) const {
  Request* oldest = nullptr;
  for (std::size_t lower = top + 1; lower < kPriorities; ++lower) {
    if (class_size_[lower] == 0) continue;
    for (const auto& flow : flows_) {
      Request* first = flow->waiting[lower].first();
      if (first == nullptr || now - first->arrival < aging) continue;
      if (oldest == nullptr || first->arrival < oldest->arrival) oldest = first;
    }
  }
  return oldest;
}

void Line::Next::choose() {
  if (!flow->overloaded || in_time == nullptr || late == nullptr) {
    request = earlier(in_time, late);
  } else {
    request = since_late >= kStartsPerLate ? late : in_time;
  }
}

std::span<Request* const> Line::first(std::size_t most, Mono now, const LineRules& rules) {
  picked_.clear();
  most = std::min(most, size_);
  if (most == 0) return {};
  Request* const aged_one = starts_since_aged_ >= kStartsPerAged ? aged(top(), now, rules.aging) : nullptr;
  if (aged_one != nullptr) picked_.push_back(aged_one);

  // Merges the flows by their accounts, each grown by what was picked of it.
  for (const auto& flow : flows_) flow->ahead = flow->size == 0 ? 0 : flow->account();
  const auto goes_later = [](const Next& a, const Next& b) {
    const auto rank = [](const Next& next) {
      return std::tuple(next.ahead, next.request->arrival, next.request->joined);
    };
    return rank(a) > rank(b);
  };
  for (std::size_t its_class = 0; its_class < kPriorities && picked_.size() < most; ++its_class) {
    if (class_size_[its_class] == 0) continue;
    heap_.clear();
    for (const auto& flow : flows_) {
      const Flow::Waiting& waiting = flow->waiting[its_class];
      if (waiting.size() == 0) continue;
      heap_.push_back({.ahead = flow->ahead,
                       .flow = flow.get(),
                       .in_time = waiting.in_time.first,
                       .late = waiting.late.first,
                       .since_late = flow->starts_since_late,
                       .request = nullptr});
      heap_.back().choose();
    }
    std::ranges::make_heap(heap_, goes_later);
    while (picked_.size() < most && !heap_.empty()) {
      std::ranges::pop_heap(heap_, goes_later);
      Next& next = heap_.back();
      if (next.request != aged_one) picked_.push_back(next.request);
      next.flow->ahead += next.request->tokens / next.flow->tenant->weight;
      next.ahead = next.flow->ahead;
      next.since_late = next.request->late ? 0 : next.since_late + 1;
      (next.request->late ? next.late : next.in_time) = next.request->behind;
      next.choose();
      if (next.request == nullptr) {
        heap_.pop_back();
      } else {
        std::ranges::push_heap(heap_, goes_later);
      }
    }
  }
  return picked_;
}

Request* Line::last() const {
  Request* last = nullptr;
  for (std::size_t its_class = kPriorities; its_class-- > 0 && last == nullptr;) {
    for (const auto& flow : flows_) {
      last = later(last, flow->waiting[its_class].last());
    }
  }
  return last;
}

Mono Line::oldest() const {
  Mono oldest = kNever;
  for (const auto& flow : flows_) {
    for (const Flow::Waiting& waiting : flow->waiting) {
      if (const Request* first = waiting.first()) oldest = std::min(oldest, first->arrival);
    }
  }
  return oldest;
}

// ---- when one's turn comes

Line::Place Line::place_of(const Request& request) const {
  const std::size_t its_class = index(request.priority);
  const Flow::Waiting& own = request.flow->waiting[its_class];
  Place place{request.flow, its_class, 0, 0};
  const auto pass = [&](const Flow::Chain& chain) {
    if (chain.last == &request || (chain.last != nullptr && comes_before(*chain.last, request))) {  // it has just come
      const bool itself = chain.last == &request;
      place.tokens += chain.tokens - (itself ? request.tokens : 0);
      return chain.size - (itself ? 1 : 0);
    }
    std::size_t passed = 0;
    for (const Request* other = chain.first; other != nullptr && comes_before(*other, request); other = other->behind) {
      place.tokens += other->tokens;
      ++passed;
    }
    return passed;
  };
  const bool overloaded = request.flow->overloaded;
  place.late = overloaded && request.late;
  if (place.late) {
    place.behind = own.in_time.size;
    place.tokens = own.in_time.tokens;
  } else {
    place.behind = pass(own.in_time);
  }
  if (!overloaded || request.late) place.late_behind = pass(own.late);
  place.behind += place.late_behind;
  return place;
}

std::size_t Line::position(const Request& request) const { return position(place_of(request)); }

std::size_t Line::position(const Place& place) const {
  std::size_t position = 1 + place.behind;
  for (std::size_t higher = 0; higher < place.its_class; ++higher) position += class_size_[higher];
  // Of the others, those whose turn comes before its account is reached; each flow's requests are taken for alike.
  const double account = place.flow->account() + place.tokens / place.flow->tenant->weight;
  for (const auto& flow : flows_) {
    const Flow::Waiting& others = flow->waiting[place.its_class];
    if (flow.get() == place.flow || others.size() == 0) continue;
    const auto size = static_cast<double>(others.size());
    const double each = std::max(1e-9, others.tokens() / flow->tenant->weight / size);
    const double before = 1 + std::floor((account - flow->account()) / each);
    position += static_cast<std::size_t>(std::clamp(before, 0.0, size));
  }
  return position;
}

std::optional<double> Line::wait(const Request& request, Mono now, double capacity) const {
  return wait(place_of(request), now, capacity);
}

std::optional<double> Line::wait_of_next(Tenant& tenant, Priority priority, Mono now, double capacity) const {
  const Flow newcomer{.tenant = &tenant};
  const Flow* const known = find_flow(tenant);
  const Flow& flow = known == nullptr ? newcomer : *known;
  const Flow::Waiting& own = flow.waiting[index(priority)];
  return wait({&flow, index(priority), own.size(), own.tokens()}, now, capacity);
}

std::optional<double> Line::wait(const Place& place, Mono now, double capacity) const {
  constexpr std::uint64_t kFew = 4;       // starts that say nothing yet
  constexpr double kGuess = 16;           // starts that the guess counts for
  constexpr std::uint64_t kSettled = 16;  // starts of a flow that show its pace
  if (pace_.count() < kFew && capacity <= 0) return std::nullopt;
  const double pace = pace_.a_second(now, capacity, kGuess);
  if (pace <= 0) return std::nullopt;
  const double by_position = static_cast<double>(position(place)) / pace;
  // Others come meanwhile and may go first. What that does shows where a flow's own requests wait.
  const double own = place.flow->pace.a_second(now);
  if (place.late) {
    const double guess = (own > 0 ? own : pace) / (kStartsPerLate + 1);
    return static_cast<double>(place.late_behind + 1) / place.flow->late_pace.a_second(now, guess, kGuess);
  }
  if (place.flow->pace.count() < kSettled || own <= 0) return by_position;
  return std::max(by_position, static_cast<double>(place.behind + 1) / own);
}

}  // namespace drover::balance
