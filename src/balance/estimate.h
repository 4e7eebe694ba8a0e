#pragma once
// What a request would cost on a node. Its parts: the wait for a slot, the load, reading what of the prompt is in no
// cache, writing the answer, and what others lose by it. Those already there are delayed: their streams stop while a
// prompt is read and go slower while one more answer is written. And what is new to a cache that is full pushes out
// something else, which has to be read again if its conversation goes on. All from what answers have told before:
// speed.h, model_habits.h, prefix_index.h, cache_model.h.

#include <algorithm>
#include <optional>

#include "balance/events.h"
#include "balance/policy.h"
#include "balance/prefix_index.h"
#include "balance/speed.h"
#include "base/clock.h"

namespace drover::balance {

struct Lane;
struct Node;
struct Place;
struct Request;
struct Runner;
struct Served;

// A request in tokens.
struct Work {
  double prompt = 1;  // at least
  double answer = 0;
  double per_cached_byte = 0;  // tokens that need not be read
  double reading = 1;          // reading_work(), if none of it is in a cache
  double context = 0;          // what it adds to the answer's writing_weight(), at the mean
};
Work work_of(const Request& request);

// What a place asks of any request: the part of an estimate that does not depend on which it is.
struct Prices {
  double wait = 0;       // seconds for a slot
  double load = 0;       // seconds for the model, and for the one that it pushes out, if that is wanted again
  double start = 0;      // seconds to begin with a prompt
  double read = 0;       // seconds for each unit of its reading_work()
  double write = 0;      // seconds a token of an answer that has no context
  double slower = 0;     // and more seconds a token, its own and the others', for each answer or its context
  double others = 0;     // answers that are written there meanwhile
  double displaced = 0;  // seconds to read again what the cache forgets for a prompt of which it has nothing
  unsigned slots = 1;
  unsigned free_slots = 0;
};
// `follows_habits`: set if they go by what other nodes have told, since this one has not told yet.
Prices prices_of(const Lane& lane, const Place& place, Readiness readiness, const PrefixIndex& prefixes, Mono now,
                 bool& follows_habits);

// A model that was pushed out is wanted again if a request for it came within this time.
inline constexpr double kWantedAgain = 600;  // seconds
// And pushes out another one then, which comes back, and so on: for each request that comes to the node while it loads
// one, so many loads more. By bench/routing: with less, models chase each other at high load; with more, slow nodes are
// used that had better have loaded.
inline constexpr double kChain = 5;
// A load on a node whose slots are all in use is as bad as so many more: it shows that the node is wanted for what it
// holds. By bench/routing: with less, models that all nodes are busy with push each other out at high load.
inline constexpr double kInUse = 32;

// Seconds, as it was there, or else elsewhere.
double load_time(const Runner& runner, const Lane& lane);

// The model that a node had best give up for another one, as its runner idles or will, and what that costs in seconds.
// null: it has none in memory.
struct Victim {
  const Served* served = nullptr;
  double loss = 0;
};
Victim victim_of(const Node& node, Mono now);

// In seconds.
struct Estimate {
  double wait = 0;
  double load = 0;
  double prompt = 0;  // reading what of it no cache has
  double answer = 0;
  double saved = 0;  // of the prompt, by a cache; not a part of the others
  double harm = 0;   // what others lose by it: those that run there, and whose prompt is pushed out of the cache

  double work() const { return prompt + answer; }
  double first_token() const { return wait + load + prompt; }
  double finish() const { return wait + load + work(); }
};
// Of the time that one more answer is written, those that were there write beside it about half: they began before.
inline constexpr double kOverlap = 0.5;
// `cached_bytes`: of the prompt, found there. `promised`: seconds of work that wait for the runner and come before it.
inline Estimate estimate(const Prices& prices, const Work& work, double cached_bytes, double promised) {
  const double cached = std::min(cached_bytes * work.per_cached_byte, work.prompt - 1);
  const double reading = reading_work(work.prompt, cached) * prices.read;
  Estimate estimate{.wait = prices.wait,
                    .load = prices.load,
                    .prompt = prices.start + reading,
                    .answer = work.answer * (prices.write + prices.slower * work.context)};
  estimate.saved = prices.start + work.reading * prices.read - estimate.prompt;
  const double slower = kOverlap * work.answer * prices.slower * (1 + work.context);
  estimate.harm = prices.others * (estimate.prompt + slower) + prices.displaced * (1 - cached / work.prompt);
  const double ahead = promised - prices.free_slots * estimate.work();
  estimate.wait += std::max(0.0, ahead) / prices.slots;
  return estimate;
}
// What a second of waiting for a slot counts. Who waits for a busy node takes, in the end, a slot that one who comes
// behind would have had, who then waits in turn; a slot that is free now costs nobody anything. In a queue that is busy
// for a part r of the time a place in it costs all together 1 / (1 - r) times one's own wait: this is for two thirds.
// By bench/routing 2 to 4 are alike; with 1, fast nodes have long lines while slow ones are idle.
inline constexpr double kWaitPrice = 3;
// A first token that comes later than its reader would like counts as so many times the goal. By bench/routing 2.5 to 3
// are alike; with none, long prompts are read by slow nodes whose fast neighbours write short answers; with 5, models
// are loaded too seldom.
inline constexpr double kLate = 3;
// An estimate is not exact: this begins a quarter before the goal and is all there a quarter behind it. In seconds.
inline constexpr double kOnTime = 0.75;  // of the goal
inline double lateness(double first_token, double goal) {
  if (goal == 0 || first_token <= kOnTime * goal) return 0;
  return kLate * std::min((first_token - kOnTime * goal) / (2 * (1 - kOnTime)), goal);
}
// What is compared: the request's own time there, by the node's weight, what others lose, and whether its first token
// would be late. `goal`: seconds; 0: there is none.
inline double cost(const Estimate& estimate, double weight, double goal) {
  return (estimate.finish() + (kWaitPrice - 1) * estimate.wait) / weight + estimate.harm +
         lateness(estimate.first_token(), goal);
}

// The same for a request of which nothing is in a cache, where nobody else is promised the place: two lines.
struct Tariff {
  double fixed = 0;        // seconds
  double per_prompt = 0;   // a unit of reading_work()
  double per_answer = 0;   // a token
  double per_context = 0;  // a token, and a unit of Work::context
  double begin = 0;        // seconds until a prompt is read
  double read = 0;         // seconds for a unit of its reading_work()
  double on_time = 0;      // units of reading_work() behind which the first token would be late

  double cost(const Work& work, double goal) const {
    const double time = fixed + work.reading * per_prompt + work.answer * (per_answer + work.context * per_context);
    return work.reading <= on_time ? time : time + lateness(begin + work.reading * read, goal);
  }
};
Tariff tariff_of(const Prices& prices, double weight, double goal);

// An answer came: what it teaches. Returns how many times as long as usual its tokens took, if that can be told.
std::optional<double> learn(const Request& request, const NodeDurations& durations, PrefixIndex& index);

}  // namespace drover::balance
