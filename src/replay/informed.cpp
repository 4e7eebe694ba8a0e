#include "replay/informed.h"

#include <algorithm>
#include <cmath>

#include "balance/dispatcher.h"
#include "balance/earliest_finish.h"
#include "balance/estimate.h"
#include "engine/memory.h"
#include "replay/models.h"

namespace drover::replay {
namespace {

constexpr double kBatch = 1024;  // tokens of a step that reads, as sim::Node has them
constexpr double kWorthWaiting = balance::EarliestFinish::kWorthWaiting;
using balance::kChain;
using balance::kInUse;
using balance::kLookahead;
using balance::kOverlap;
using balance::kWantedAgain;
using balance::kWeighed;
constexpr Duration kLookAgain = std::chrono::seconds(1);

double seconds_of(engine::Cost cost) { return cost.count() / 1000; }

}  // namespace

Informed::Informed(const Stage& stage, const Fleet& fleet, const Workload& workload, const InformedSettings& settings)
    : settings_(settings), places_(stage.nodes()), lines_(workload.models().size()), loads_(lines_.size()) {
  for (std::size_t node = 0; node < places_.size(); ++node) {
    Place& place = places_[node];
    place.costs.resize(lines_.size());
    place.load_times.resize(lines_.size());
    place.used.resize(lines_.size());
    for (std::size_t model = 0; model < lines_.size(); ++model) {
      const sim::ModelSettings* held = stage.model_on(node, model);
      if (held == nullptr) continue;
      place.costs[model] = engine::costs_on(stage.node(node).card(), held->spec);
      place.load_times[model] = engine::load_time(stage.node(node).card(), held->spec);
    }
  }
  if (!settings.pooled) return;
  for (const std::string& name : workload.models()) pooled_.emplace_back(fleet, *model_named(name));
}

// ---- what is true

double Informed::step(const Place& place, std::size_t model, double batch, double context) const {
  const engine::StepCosts& costs = place.costs[model];
  const auto rows = static_cast<std::uint32_t>(std::max(1.0, batch));
  return seconds_of(engine::weights_cost(costs, rows) + costs.pair_one * context * batch);
}

double Informed::read(const Place& place, std::size_t model, double prompt, double cached) const {
  const engine::StepCosts& costs = place.costs[model];
  const double left = prompt - cached;
  const double steps = std::ceil(left / kBatch);
  const engine::Cost rows = std::max(costs.row * left, steps * costs.few_rows.back());
  return seconds_of(steps * costs.many_rows + rows + costs.pair_tiled * (left * (cached + left / 2)));
}

// Whoever reads goes first, and the others write little meanwhile; then all write.
void Informed::advance(Place& place, Mono now) const {
  double left = seconds(now - std::exchange(place.as_of, now));
  for (Running& each : place.running) {
    const double taken = std::min(left, each.reading);
    each.reading -= taken;
    left -= taken;
  }
  const auto batch = static_cast<double>(place.running.size());
  for (Running& each : place.running) {
    if (each.reading > 0) continue;
    each.tokens = std::max(1.0, each.tokens - left / step(place, each.model, batch, each.context));
  }
}

// What it costs that a load pushes out the model that was used least recently (balance/estimate.cpp).
double Informed::eviction(const Stage& stage, std::size_t node, std::size_t model) const {
  const Place& place = places_[node];
  std::optional<std::size_t> victim;
  for (std::size_t other = 0; other < lines_.size(); ++other) {
    const sim::ModelSettings* held = stage.model_on(node, other);
    if (other == model || held == nullptr || !stage.node(node).is_loaded(*held)) continue;
    if (!victim || place.used[other] < place.used[*victim]) victim = other;
  }
  if (!victim) return 0;
  const double wanted = std::max(0.0, 1 - seconds(stage.now() - place.used[*victim]) / kWantedAgain);
  return kChain * wanted * seconds(place.load_times[*victim]);
}

// ---- choosing

std::optional<Informed::Estimate> Informed::estimate(const Stage& stage, std::size_t node,
                                                     const Waiting& waiting) const {
  const Request& request = stage.request(waiting.request);
  const std::size_t model = request.question.model;
  if (!stage.can_serve(node, request)) return std::nullopt;
  const Place& place = places_[node];
  const sim::ModelSettings& held = *stage.model_on(node, model);
  const auto mine = static_cast<std::size_t>(std::ranges::count(place.running, model, &Running::model));
  const std::size_t slots = stage.settings(node).slots;

  Estimate result{.state = State::ready, .wait = 0, .load = 0, .work = 0, .saved = 0, .harm = 0};
  auto others = static_cast<double>(place.running.size());
  if (place.loading == model) {
    result.state = State::busy;
    result.load = std::max(0.0, seconds(place.load_times[model] - (stage.now() - place.loading_since)));
  } else if (place.evicting) {
    return std::nullopt;
  } else if (!stage.node(node).is_loaded(held)) {
    if (place.loading || loads_[model] >= settings_.scheduler.parallel_loads) return std::nullopt;
    result.state = State::cold;
    result.load = seconds(place.load_times[model]) * (1 + kInUse * others);
    if (evicts(stage, node, model)) result.load += eviction(stage, node, model);
  } else if (mine >= slots) {
    result.state = State::busy;
    double reading = 0, soonest = 1e9;
    for (const Running& each : place.running) {
      reading += each.reading;
      if (each.model == model) soonest = std::min(soonest, each.tokens * step(place, model, others, each.context));
    }
    result.wait = reading + soonest;
    others -= 1;
  }

  const auto prompt = static_cast<double>(request.tokens);
  const double known = waiting.pooled ? static_cast<double>(*waiting.pooled)
                                      : static_cast<double>(stage.node(node).known(held, request.question.prompt));
  const double context = prompt + request.question.answer / 2.0;
  const double reading = read(place, model, prompt, known);
  const double token = step(place, model, others + 1, context);
  const double writing = request.question.answer * token;
  result.work = reading + writing;
  result.saved = read(place, model, prompt, 0) - reading;
  if (others > 0) {
    const double slower = 1 - step(place, model, others, context) / token;
    result.harm = others * (reading + kOverlap * writing * slower);
  }
  const double free_slots =
      result.state == State::busy && place.loading != model ? 0 : static_cast<double>(slots - mine);
  result.wait += std::max(0.0, place.promised - free_slots * result.work) / static_cast<double>(slots);
  return result;
}

// Where it starts now; nullopt: it waits, or a load was begun for it.
std::optional<Informed::Choice> Informed::choose(Stage& stage, const Waiting& waiting) {
  std::optional<Choice> ready, later;
  for (std::size_t node = 0; node < places_.size(); ++node) {
    const auto found = estimate(stage, node, waiting);
    if (!found) continue;
    auto& best = found->state == State::ready ? ready : later;
    if (!best || found->cost() < best->estimate.cost()) best = Choice{node, *found};
  }
  const balance::SchedulerSettings& scheduler = settings_.scheduler;
  const Duration patience = std::min(scheduler.spill_delay, scheduler.queue_timeout / 2);
  const bool may_wait = stage.now() - stage.request(waiting.request).arrived < patience;
  if (ready && (!later || !may_wait || later->estimate.cost() >= kWorthWaiting * ready->estimate.cost())) return ready;
  if (!later) return std::nullopt;
  Place& place = places_[later->place];
  place.promised += later->estimate.work;
  if (later->estimate.state == State::cold) {
    const std::size_t model = stage.request(waiting.request).question.model;
    place.evicting = evicts(stage, later->place, model);
    place.loading = model;
    place.loading_since = stage.now();
    ++loads_[model];
    stage.load(later->place, model, later->place);  // one at a time on a node: its number is the token
  }
  return std::nullopt;
}

bool Informed::evicts(const Stage& stage, std::size_t node, std::size_t model) const {
  const auto running = stage.node(node).running();
  const sim::NodeSettings& settings = stage.settings(node);
  if (running.size() >= settings.max_loaded) return true;
  Bytes used;
  for (const sim::Running& each : running) used += each.size_vram;
  const Bytes vram = stage.node(node).card().vram;
  const auto& spec = stage.model_on(node, model)->spec;
  const Bytes size = engine::size_in_memory(spec, std::min(settings.context, spec.context), settings.slots);
  return !running.empty() && !engine::fits(size, vram > used ? vram - used : Bytes{});
}

void Informed::dispatch(Stage& stage) {
  if (waiting_ == 0) return;
  for (Place& place : places_) advance(place, stage.now());
  for (std::size_t model = 0; model < lines_.size(); ++model) {
    while (dispatch_line(stage, model)) {
    }
  }
  look_again_ = waiting_ > 0 ? stage.now() + kLookAgain : kNever;
}

// Of the first in line that could start now, the one whose cache saves most; if none of them does, the last in line,
// which has all others before it. False: none starts.
bool Informed::dispatch_line(Stage& stage, std::size_t model) {
  Line& line = lines_[model];
  for (Place& place : places_) place.promised = 0;
  const std::size_t most = std::clamp<std::size_t>(kWeighed / places_.size(), 1, kLookahead);
  std::optional<Choice> chosen;
  std::size_t which = 0;
  for (std::size_t i = 0; i < std::min(line.size(), kLookahead) && !(chosen && i >= most); ++i) {
    const auto its = choose(stage, line[i]);
    if (its && (!chosen || its->estimate.saved > chosen->estimate.saved)) {
      chosen = its;
      which = i;
    }
  }
  if (!chosen && line.size() > kLookahead) {
    promise_for(static_cast<double>(line.size() - kLookahead - 1));
    which = line.size() - 1;
    chosen = choose(stage, line[which]);
  }
  if (!chosen) return false;
  start(stage, line, which, *chosen);
  return true;
}

// So many more as those that were promised to places already, in the same shares.
void Informed::promise_for(double requests) {
  for (Place& place : places_) place.promised *= 1 + requests / static_cast<double>(kLookahead);
}

void Informed::start(Stage& stage, Line& line, std::size_t index, const Choice& choice) {
  const Waiting waiting = line[index];
  line.erase(line.begin() + static_cast<std::ptrdiff_t>(index));
  --waiting_;
  const Request& request = stage.request(waiting.request);
  const std::size_t model = request.question.model;
  Place& place = places_[choice.place];
  const auto prompt = static_cast<double>(request.tokens);
  place.running.push_back({.request = waiting.request,
                           .model = model,
                           .reading = read(place, model, prompt, 0) - choice.estimate.saved,
                           .tokens = static_cast<double>(request.question.answer),
                           .context = prompt + request.question.answer / 2.0});
  place.used[model] = stage.now();
  stage.start(waiting.request, choice.place, waiting.pooled);
}

// ---- events

bool Informed::is_first(const Stage& stage, std::size_t request) const {
  return stage.request(request).question.tenant == settings_.first;
}

// Sends the one away that came last of those who do not come first. False: there is none.
bool Informed::make_room(Stage& stage) {
  Line* line = nullptr;
  for (Line& each : lines_) {
    if (each.empty() || is_first(stage, each.back().request)) continue;
    if (line == nullptr || each.back().request > line->back().request) line = &each;
  }
  if (line == nullptr) return false;
  const std::size_t last = line->back().request;
  line->pop_back();
  --waiting_;
  stage.refuse(last);
  return true;
}

void Informed::arrived(Stage& stage, std::size_t number) {
  const Question& question = stage.request(number).question;
  Waiting waiting{.request = number, .until = stage.now() + settings_.scheduler.queue_timeout, .pooled = {}};
  if (!pooled_.empty()) waiting.pooled = static_cast<std::uint32_t>(pooled_[question.model].read(question));
  const bool first = is_first(stage, number);
  if (waiting_ >= settings_.scheduler.max_queue && !(first && make_room(stage))) return stage.refuse(number);
  Line& line = lines_[question.model];
  auto behind = line.end();
  if (first)
    behind = std::ranges::find_if_not(line, [&](const Waiting& each) { return is_first(stage, each.request); });
  line.insert(behind, waiting);
  ++waiting_;
  dispatch(stage);
}

void Informed::first_token(Stage& stage, std::size_t number) {
  Place& place = places_[stage.request(number).node];
  advance(place, stage.now());
  std::ranges::find(place.running, number, &Running::request)->reading = 0;
}

void Informed::ended(Stage& stage, std::size_t number, bool, const balance::NodeDurations&) {
  Place& place = places_[stage.request(number).node];
  advance(place, stage.now());
  std::erase_if(place.running, [&](const Running& each) { return each.request == number; });
  dispatch(stage);
}

void Informed::loaded(Stage& stage, std::uint64_t token, bool) {
  Place& place = places_[token];
  --loads_[*place.loading];
  place.used[*place.loading] = stage.now();
  place.loading.reset();
  place.evicting = false;
  dispatch(stage);
}

Mono Informed::next() const {
  Mono soonest = look_again_;
  for (const Line& line : lines_) {
    for (const Waiting& each : line) soonest = std::min(soonest, each.until);
  }
  return soonest;
}

void Informed::wake(Stage& stage) {
  for (Line& line : lines_) {
    for (std::size_t i = 0; i < line.size();) {
      if (line[i].until > stage.now()) {
        ++i;
        continue;
      }
      const std::size_t number = line[i].request;
      line.erase(line.begin() + static_cast<std::ptrdiff_t>(i));
      --waiting_;
      stage.refuse(number);
    }
  }
  dispatch(stage);
}

}  // namespace drover::replay
