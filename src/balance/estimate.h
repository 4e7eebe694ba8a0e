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
};
Work work_of(const Request& request);

// `ready`: a slot is free. `promised`: seconds of work that wait for the runner, this request's turn coming after them.
struct PlaceState {
  Readiness readiness = Readiness::blocked;
  double promised = 0;
  double cached_bytes = 0;  // of the prompt, found there
};
Estimate estimate(const Place& place, const Request& request, const Work& work, const PlaceState& state, Mono now);

// An answer came: what it teaches.
void learn(const Request& request, const NodeDurations& durations, PrefixIndex& index);

}  // namespace drover::balance
