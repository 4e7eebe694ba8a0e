#include "balance/estimate.h"

#include <algorithm>
#include <cmath>

#include "balance/lane.h"
#include "balance/node.h"
#include "balance/request_table.h"

namespace drover::balance {
namespace {

constexpr double kUnknownWait = 5;  // seconds: until a probe tells more
// What runs longer than expected is expected to run on for this part of the time it has taken.
constexpr double kOverdue = 0.2;
// A model that was pushed out is wanted again if a request for it came within this time.
constexpr double kWantedAgain = 600;
// And pushes out another one then, which comes back, and so on. By bench/routing: with less, models chase each other at
// high load; with more, slow nodes are used that had better have loaded.
constexpr double kChain = 10;
// Each answer that is written on a node makes a load there as bad as so many more: it shows that the node is wanted for
// what it holds. By bench/routing: with less, models that all nodes are busy with push each other out at high load.
constexpr double kInUse = 2;

double load_time(const Runner& runner, const Lane& lane) {
  return (runner.load_time.known() ? runner.load_time : lane.habits.load_time).value();
}

// Until the first of those that run there ends.
double first_end(const Runner& runner, Mono now) {
  double soonest = kUnknownWait;
  bool any = false;
  for (const Request* request = runner.running; request != nullptr; request = request->behind) {
    const double left = std::max(seconds(request->expected_end - now), kOverdue * seconds(now - request->started));
    soonest = any ? std::min(soonest, left) : left;
    any = true;
  }
  return soonest;
}

// What it costs that a load pushes out a model: one that is idle, if there is one, else the first that becomes so. It
// has to be loaded again for its next request, and for those that come meanwhile, which then wait, too.
double eviction(const Node& node, Mono now) {
  const Served* victim = nullptr;
  const auto order = [](const Runner& runner) { return std::pair(runner.in_flight > 0, runner.last_start); };
  for (const Served& served : node.served) {
    const Runner& runner = *served.runner;
    if (runner.resident && (victim == nullptr || order(runner) < order(*victim->runner))) victim = &served;
  }
  if (victim == nullptr) return 0;
  const Runner& runner = *victim->runner;
  const double wanted = std::max(0.0, 1 - seconds(now - runner.last_start) / kWantedAgain);
  const double load = load_time(runner, *victim->lane);
  const double wait = runner.in_flight > 0 ? first_end(runner, now) : 0;
  return wait + kChain * wanted * load * (1 + runner.start_rate * load);
}

}  // namespace

Work work_of(const Request& request) {
  const ModelHabits& habits = request.lane->habits;
  Work work{.prompt = std::max(1.0, static_cast<double>(request.prompt.bytes) * habits.tokens_per_byte.value()),
            .answer = habits.answer_tokens.value(),
            .per_cached_byte = habits.tokens_per_byte.value() * habits.reuse.value()};
  work.reading = reading_work(work.prompt, 0);
  if (request.prompt.max_answer) work.answer = std::min(work.answer, static_cast<double>(*request.prompt.max_answer));
  return work;
}

Prices prices_of(const Lane& lane, const Place& place, Readiness readiness, Mono now, bool& follows_habits) {
  const Node& node = *place.node;
  const Runner& runner = *place.runner;
  Prices prices{.slots = runner.slots.slots(), .free_slots = runner.slots.slots()};
  follows_habits = !runner.speed.knows_reading() || !runner.speed.knows_writing();

  prices.others = static_cast<double>(node.in_flight);
  if (readiness == Readiness::busy) {
    if (node.load && node.load->runner == &runner) {
      prices.load = std::max(0.0, load_time(runner, lane) - seconds(now - node.load->since));
      prices.others = 0;
    } else {
      prices.free_slots = 0;
      prices.wait = runner.in_flight < runner.slots.slots() ? kUnknownWait : first_end(runner, now);
      prices.others = std::max(0.0, prices.others - 1);
    }
  } else if (readiness == Readiness::cold) {
    prices.load = load_time(runner, lane) * (1 + kInUse * static_cast<double>(node.in_flight));
    follows_habits |= !runner.load_time.known();
    if (node.full()) prices.load += eviction(node, now);
  }

  const SpeedEstimate& reading = runner.speed.knows_reading() ? runner.speed : lane.habits.speed;
  const SpeedEstimate& writing = runner.speed.knows_writing() ? runner.speed : lane.habits.speed;
  prices.start = reading.read_start();
  prices.read = reading.read_time();
  prices.write = writing.token_time(prices.others + 1);
  if (prices.others > 0) prices.slower = 1 - writing.token_time(prices.others) / prices.write;
  return prices;
}

Tariff tariff_of(const Prices& prices, double weight) {
  return {.fixed = (kWaitPrice * prices.wait + prices.load + prices.start) / weight + prices.start * prices.others,
          .per_prompt = prices.read * (1 / weight + prices.others),
          .per_answer = prices.write * (1 / weight + kOverlap * prices.others * prices.slower)};
}

std::optional<double> learn(const Request& request, const NodeDurations& durations, PrefixIndex& index) {
  ModelHabits& habits = request.lane->habits;
  Runner& runner = *request.runner;
  const auto bytes = static_cast<double>(request.prompt.bytes);
  const auto tokens = static_cast<double>(durations.prompt_tokens);
  if (bytes > 0 && tokens > 0) habits.tokens_per_byte.add(tokens / bytes);
  if (durations.eval_tokens > 0) habits.answer_tokens.add(static_cast<double>(durations.eval_tokens));

  double cached = request.found.bytes * habits.tokens_per_byte.value() * habits.reuse.value();
  if (durations.cached_tokens) {
    cached = static_cast<double>(*durations.cached_tokens);
    const double cached_bytes = cached / habits.tokens_per_byte.value();
    if (runner.cache != kNoCache) index.learn(runner.cache, request.found, cached_bytes);
    if (request.found.bytes > 0) habits.reuse.add(std::min(1.0, cached_bytes / request.found.bytes));
  }
  const SpeedSample sample{.durations = durations,
                           .reading = reading_work(tokens, std::min(cached, tokens)),
                           .batch = static_cast<double>(request.batch_at_start + request.node->in_flight) / 2};
  runner.speed.observe(sample);
  habits.speed.observe(sample);
  ++habits.version;
  return runner.pace.compare(sample);
}

}  // namespace drover::balance
