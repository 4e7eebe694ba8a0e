#pragma once
// What the engine's model says to the requests of a measured run.

#include <cstdint>
#include <vector>

#include "calibrate/measurement.h"
#include "engine/step.h"

namespace drover::calibrate {

enum class Reuse : std::uint8_t {
  given,      // as many tokens of each prompt are cached as was measured
  predicted,  // as the model of the cache says, from which conversation a prompt belongs to
};

struct Times {
  double first = 0;  // seconds from sending
  double last = 0;
  std::uint32_t cached = 0;
};

// Of requests that were sent within a moment, chance decides which the runner sees first. Of a closed loop the
// measurements tell: those are submitted together, and one that could have been read with the others and was not, when
// its reading began.
//
// One for each row of the run; zeros for loads. Requests of a closed loop begin when those before them have ended, here
// as there, so that no cell pays for the error of another; those of an open loop when they were sent.
std::vector<Times> rehearse(const Recording& run, const engine::StepCosts& costs, Reuse reuse);

}  // namespace drover::calibrate
