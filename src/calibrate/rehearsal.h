#pragma once
// What the engine's model says to the requests of a measured recording.

#include <cstdint>
#include <map>
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
// Which of them gets which slot is chance, too, and nobody measured it; the caller may say in which order they come.
using Orders = std::map<std::size_t, std::vector<std::size_t>>;  // by the first row of a moment: its rows

// The moments of a closed loop that more than one request was sent in, in the order of their rows.
Orders moments_of(const Recording& recording);

// One for each row of the recording; zeros for loads. Requests of a closed loop begin when those before them have
// ended, here as there, so that no cell pays for the error of another; those of an open loop when they were sent.
std::vector<Times> rehearse(const Recording& recording, const engine::StepCosts& costs, Reuse reuse,
                            const Orders& orders = {});

}  // namespace drover::calibrate
