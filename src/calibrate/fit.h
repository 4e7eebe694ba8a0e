#pragma once
// The costs of an engine's steps from what was measured of it.

#include <span>

#include "calibrate/rehearsal.h"
#include "engine/step.h"

namespace drover::calibrate {

// Which measurements decide the costs: all of `solo`, and of `batch` and `interfere` the even repetitions. The others
// are for checking.
bool decides(const Measurement& row);

struct Fit {
  engine::StepCosts costs;
  std::vector<Orders> orders;  // by recording: in which order requests of one moment came, as far as they decided
  // Root of the mean square of log(model / measured), outliers damped, over the times that decided.
  double typical_error = 0;
  std::size_t times = 0;
  int rounds = 0;
};

// Least squares over the logarithms of the times to the first token and from there to the end, reuse given; then the
// order of requests that were sent at once is taken that agrees best with their times, and again least squares. What
// nothing measured says anything about stays at a guess. Error: invalid, if nothing decides.
Result<Fit> fit(std::span<const Recording> recordings);

}  // namespace drover::calibrate
