#pragma once
// What the requests for one model have in common: the first guess for a node that has not served it yet.

#include <cstdint>

#include "balance/returns.h"
#include "balance/speed.h"

namespace drover::balance {

struct ModelHabits {
  std::uint64_t version = 1;  // grows with each change
  SpeedEstimate speed;        // of all nodes
  SpeedEstimate by_card;      // of those whose GPU is known, as the one would have it with which they are compared
  FadingMean load_time{5};    // seconds
  FadingMean tokens_per_byte{0.25};  // of prompts
  FadingMean answer_tokens{200};
  // Of what was expected in a cache, the part that was: models with a sliding window find a whole conversation only.
  FadingMean reuse{1};
  Returns returns;  // of conversations
};

}  // namespace drover::balance
