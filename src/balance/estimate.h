#pragma once
// What a request would cost on a node. Its parts: the wait for a slot, the load, reading what of the prompt is in no
// cache, writing the answer, and the delay that it causes to those already there, whose streams stop while a prompt is
// read and go slower while one more answer is written. All from what answers have told before: speed.h, model_habits.h,
// prefix_index.h.

#include <algorithm>
#include <optional>

#include "balance/events.h"
#include "balance/policy.h"
#include "balance/prefix_index.h"
#include "balance/speed.h"
#include "base/clock.h"

namespace drover::balance {

struct Lane;
struct Place;
struct Request;

// A request in tokens.
struct Work {
  double prompt = 1;  // at least
  double answer = 0;
  double per_cached_byte = 0;  // tokens that need not be read
  double reading = 1;          // reading_work(), if none of it is in a cache
};
Work work_of(const Request& request);

// What a place asks of any request: the part of an estimate that does not depend on which it is.
struct Prices {
  double wait = 0;    // seconds for a slot
  double load = 0;    // seconds for the model, and for the one that it pushes out, if that is wanted again
  double start = 0;   // seconds to begin with a prompt
  double read = 0;    // seconds for each unit of its reading_work()
  double write = 0;   // seconds a token of the answer
  double others = 0;  // answers that are written there meanwhile
  double slower = 0;  // part of their speed that they lose by one more
  unsigned slots = 1;
  unsigned free_slots = 0;
};
// `follows_habits`: set if they go by what other nodes have told, since this one has not told yet.
Prices prices_of(const Lane& lane, const Place& place, Readiness readiness, Mono now, bool& follows_habits);

// In seconds.
struct Estimate {
  double wait = 0;
  double load = 0;
  double prompt = 0;  // reading what of it no cache has
  double answer = 0;
  double saved = 0;  // of the prompt, by a cache; not a part of the others
  double harm = 0;   // what those that run there lose by it, all together

  double work() const { return prompt + answer; }
  double finish() const { return wait + load + work(); }
};
// Of the time that one more answer is written, those that were there write beside it about half: they began before.
inline constexpr double kOverlap = 0.5;
// `cached_bytes`: of the prompt, found there. `promised`: seconds of work that wait for the runner and come before it.
inline Estimate estimate(const Prices& prices, const Work& work, double cached_bytes, double promised) {
  const double cached = std::min(cached_bytes * work.per_cached_byte, work.prompt - 1);
  Estimate estimate{.wait = prices.wait,
                    .load = prices.load,
                    .prompt = prices.start + reading_work(work.prompt, cached) * prices.read,
                    .answer = work.answer * prices.write};
  estimate.saved = prices.start + work.reading * prices.read - estimate.prompt;
  estimate.harm = prices.others * (estimate.prompt + kOverlap * estimate.answer * prices.slower);
  const double ahead = promised - prices.free_slots * estimate.work();
  estimate.wait += std::max(0.0, ahead) / prices.slots;
  return estimate;
}
// What a second of waiting for a slot counts. Who waits for a busy node takes, in the end, a slot that one who comes
// behind would have had, who then waits in turn; a slot that is free now costs nobody anything. In a queue that is busy
// for a part r of the time a place in it costs all together 1 / (1 - r) times one's own wait: this is for two thirds.
// By bench/routing 2 to 4 are alike; with 1, fast nodes have long lines while slow ones are idle.
inline constexpr double kWaitPrice = 3;
// What is compared: the request's own time there, by the node's weight, and what others lose.
inline double cost(const Estimate& estimate, double weight) {
  return (estimate.finish() + (kWaitPrice - 1) * estimate.wait) / weight + estimate.harm;
}

// The same for a request of which nothing is in a cache, where nobody else is promised the place: a line.
struct Tariff {
  double fixed = 0;       // seconds
  double per_prompt = 0;  // a unit of reading_work()
  double per_answer = 0;  // a token

  double cost(const Work& work) const { return fixed + work.reading * per_prompt + work.answer * per_answer; }
};
Tariff tariff_of(const Prices& prices, double weight);

// An answer came: what it teaches. Returns how many times as long as usual its tokens took, if that can be told.
std::optional<double> learn(const Request& request, const NodeDurations& durations, PrefixIndex& index);

}  // namespace drover::balance
