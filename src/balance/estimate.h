#pragma once
// What a request would cost on a node. Its parts: the wait for a slot, the load, reading what of the prompt is in no
// cache, writing the answer, and the delay that it causes to those already there, whose streams stop while a prompt is
// read and go slower while one more answer is written. All from what answers have told before: speed.h, model_habits.h,
// prefix_index.h.

#include "balance/dispatcher.h"

namespace drover::balance {

// A request in tokens.
struct Work {
  double prompt = 0;
  double answer = 0;
  double per_cached_byte = 0;  // tokens that need not be read
};
Work work_of(const Request& request);

struct PlaceState {
  Readiness readiness = Readiness::blocked;
  double promised = 0;      // seconds of work that wait for the runner, and come before this request
  double cached_bytes = 0;  // of the prompt, found there
};
Estimate estimate(const Place& place, const Request& request, const Work& work, const PlaceState& state, Mono now);

// An answer came: what it teaches.
void learn(const Request& request, const NodeDurations& durations, PrefixIndex& index);

}  // namespace drover::balance
