#pragma once
// How far the model is from what was measured.

#include <string>
#include <vector>

#include "calibrate/rehearsal.h"

namespace drover::calibrate {

// A measured time, and what the model says, in seconds.
struct Compared {
  double measured = 0;
  double predicted = 0;
  double error() const { return measured > 0 ? predicted / measured - 1 : 0; }
};

// The requests of a run that measured the same, by their medians.
struct Cell {
  std::string scenario;
  std::string name;
  bool decided = false;  // the fit has seen it
  std::size_t requests = 0;
  Compared first;
  Compared last;
};

// In the order of the recording; without loads, warm-ups and open loops.
std::vector<Cell> cells_of(const Recording& recording, const std::vector<Times>& times);

// An open loop at one rate.
struct Loop {
  double rate = 0;
  std::size_t requests = 0;
  Compared first_p50, first_p95, last_p50, last_p95;
  double first_error = 0;  // medians over the requests of the absolute relative error
  double last_error = 0;
};
std::vector<Loop> loops_of(const Recording& recording, const std::vector<Times>& times);

// Linear between the two nearest; 0 of nothing.
double percentile(std::vector<double> values, double share);

}  // namespace drover::calibrate
