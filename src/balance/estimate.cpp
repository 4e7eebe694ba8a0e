#include "balance/estimate.h"

#include <algorithm>
#include <limits>

#include "balance/lane.h"
#include "balance/node.h"
#include "balance/request_table.h"

namespace drover::balance {
namespace {

constexpr double kUnknownWait = 5;  // seconds: until a probe tells more
// Of what answers are slower for beside others, the part that is due to writing them. The rest is that prompts of the
// others are read meanwhile, which counts for each prompt by itself. By bench/routing: with all of it, conversations
// leave their caches for nodes that are idle, read their prompts again there, and so slow each other.
constexpr double kByWriting = 0.6;
// What runs longer than expected is expected to run on for this part of the time it has taken.
constexpr double kOverdue = 0.2;

// A node that has not answered yet is taken to be so many times as slow as those that have: more with each request that
// it was given, but not without end, since answers may be long and slots many.
constexpr double kLeastDoubt = 2;
constexpr double kMostDoubt = 6;

double time_left(const Request& request, Mono now) {
  return std::max(seconds(request.expected_end - now), kOverdue * seconds(now - request.started));
}

// Until the first of those that run there ends.
double first_end(const Runner& runner, Mono now) {
  if (runner.running == nullptr) return kUnknownWait;
  double soonest = time_left(*runner.running, now);
  for (const Request* request = runner.running->behind; request != nullptr; request = request->behind) {
    soonest = std::min(soonest, time_left(*request, now));
  }
  return soonest;
}

// Until all of them have.
double last_end(const Runner& runner, Mono now) {
  double last = 0;
  for (const Request* request = runner.running; request != nullptr; request = request->behind) {
    last = std::max(last, time_left(*request, now));
  }
  return last;
}

// How much has to be read again if a sequence is read that continues none: what the cache forgets for it, if that goes
// on.
double displaced(const ModelHabits& habits, const CacheModel& cache, Mono now) {
  constexpr std::uint32_t kUsual = 4;  // KiB of a prompt
  const CacheModel::Sequence* const goes = cache.next_to_go(kUsual);
  if (goes == nullptr) return 0;
  const double tokens = 1024.0 * goes->kib * habits.tokens_per_byte.value() * habits.reuse.value();
  return habits.returns.likely(now - goes->used) * reading_work(tokens, 0);
}

// Until a load that was decided has ended.
double load_left(const NodeLoad& load, double load_time, Mono now) {
  if (!load.asked_for) return load_time + last_end(*load.victim, now);
  return std::max(0.0, load_time - seconds(now - load.since));
}

// What it costs that a model goes. It has to become idle, and to be loaded again for its next request, for those that
// wait for it now, and for those that come meanwhile.
double loss(const Served& served, Mono now) {
  const Runner& runner = *served.runner;
  const double wanted = std::max(0.0, 1 - seconds(now - runner.starts.last()) / kWantedAgain);
  const double load = load_time(runner, *served.lane);
  const auto waiting = static_cast<double>(served.lane->line.size());
  const double loads =
      (1 + kChain * runner.node->starts.a_second(now) * load) * (1 + waiting + runner.starts.a_second(now) * load);
  return last_end(runner, now) + wanted * load * loads;
}

// What is known of a runner's speed, or else what others make likely.
struct Guess {
  const SpeedEstimate& speed;
  double times = 1;  // as long as by that estimate
  bool by_card = false;
};
Guess guess(const Runner& runner, const ModelHabits& habits, bool (SpeedEstimate::*known)() const,
            double CardSpeed::* of_card) {
  if ((runner.speed.*known)()) return {.speed = runner.speed};
  const auto& card = runner.node->spec.card;
  if (card && ((habits.by_card.*known)() || !(habits.speed.*known)())) {
    return {.speed = habits.by_card, .times = 1 / (*card.*of_card), .by_card = true};
  }
  return {.speed = habits.speed};
}

}  // namespace

double load_time(const Runner& runner, const Lane& lane) {
  return (runner.load_time.known() ? runner.load_time : lane.habits.load_time).value();
}

Victim victim_of(const Node& node, Mono now) {
  Victim least{};
  for (const Served& served : node.served) {
    if (!served.runner->resident) continue;
    const double its_loss = loss(served, now);
    if (least.served == nullptr || its_loss < least.loss) least = {.served = &served, .loss = its_loss};
  }
  return least;
}

Work work_of(const Request& request) {
  const ModelHabits& habits = request.lane->habits;
  Work work{.prompt = std::max(1.0, static_cast<double>(request.prompt.bytes) * habits.tokens_per_byte.value()),
            .answer = habits.answer_tokens.value(),
            .per_cached_byte = habits.tokens_per_byte.value() * habits.reuse.value()};
  work.reading = reading_work(work.prompt, 0);
  if (request.prompt.max_answer) work.answer = std::min(work.answer, static_cast<double>(*request.prompt.max_answer));
  work.context = writing_weight(work.prompt + work.answer / 2) - 1;
  return work;
}

Prices prices_of(const Lane& lane, const Place& place, Readiness readiness, const PrefixIndex& prefixes, Mono now,
                 bool& follows_habits) {
  const Node& node = *place.node;
  const Runner& runner = *place.runner;
  Prices prices{.slots = runner.slots.slots(), .free_slots = runner.slots.slots()};
  follows_habits = !runner.speed.knows_reading() || !runner.speed.knows_writing();

  prices.others = static_cast<double>(node.in_flight);
  double writing = node.writing;
  if (readiness == Readiness::busy) {
    if (node.load && node.load->runner == &runner) {
      prices.load = load_left(*node.load, load_time(runner, lane), now);
      prices.others = writing = 0;
    } else {
      prices.free_slots = 0;
      prices.wait = runner.in_flight < runner.slots.slots() ? kUnknownWait : first_end(runner, now);
      if (node.in_flight > 0) {
        writing -= writing / prices.others;
        prices.others -= 1;
      }
    }
  } else if (readiness == Readiness::cold) {
    prices.load = load_time(runner, lane) * (1 + kInUse * static_cast<double>(node.in_flight) / prices.slots);
    follows_habits |= !runner.load_time.known();
    if (node.full_for(runner, now)) prices.load += victim_of(node, now).loss;
  }

  const Guess reading = guess(runner, lane.habits, &SpeedEstimate::knows_reading, &CardSpeed::reading);
  const Guess speed = guess(runner, lane.habits, &SpeedEstimate::knows_writing, &CardSpeed::writing);
  prices.start = reading.speed.read_start() * reading.times;
  prices.read = reading.speed.read_time() * reading.times;
  const double slower = kByWriting * speed.speed.token_slope();
  prices.slower = slower * speed.times;
  prices.write = speed.speed.token_time_by(slower, writing + 1) * speed.times;
  // Others are known, and how slow this one is nobody knows yet: it is tried when they are busy, by a few at a time.
  if (!node.answered && !speed.by_card && lane.habits.speed.knows_writing()) {
    const double doubt = std::min(kLeastDoubt + static_cast<double>(node.in_flight), kMostDoubt);
    prices.start *= doubt;
    prices.read *= doubt;
    prices.write *= doubt;
  }
  if (runner.cache != kNoCache)
    prices.displaced = displaced(lane.habits, prefixes.model(runner.cache), now) * prices.read;
  return prices;
}

Tariff tariff_of(const Prices& prices, double weight, double goal) {
  constexpr double kNoGoal = std::numeric_limits<double>::infinity();
  const double delays = kOverlap * prices.others * prices.slower;
  const double begin = prices.wait + prices.load + prices.start;
  return {.fixed = (kWaitPrice * prices.wait + prices.load + prices.start) / weight + prices.start * prices.others +
                   prices.displaced,
          .per_prompt = prices.read * (1 / weight + prices.others),
          .per_answer = prices.write / weight + delays,
          .per_context = prices.slower / weight + delays,
          .begin = begin,
          .read = prices.read,
          .on_time = goal > 0 ? (kOnTime * goal - begin) / prices.read : kNoGoal};
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
                           .batch = (request.writing_at_start + request.node->writing) / 2};
  request.node->answered = true;
  runner.speed.observe(sample);
  habits.speed.observe(sample);
  if (const auto& card = request.node->spec.card) {
    habits.by_card.observe(faster(sample, 1 / card->reading, 1 / card->writing));
  }
  ++habits.version;
  return runner.pace.compare(sample);
}

}  // namespace drover::balance
