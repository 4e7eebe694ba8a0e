#pragma once
// Non-linear least squares for a handful of parameters.

#include <functional>
#include <vector>

namespace drover::calibrate {

// Residuals of a model at these parameters; as many at every call.
using Residuals = std::function<std::vector<double>(const std::vector<double>& parameters)>;

struct Minimum {
  std::vector<double> parameters;
  double cost = 0;  // Huber's, summed over the residuals
  int rounds = 0;
};

// The method of Levenberg (1944) and Marquardt (1963): Gauss and Newton's step, damped until it helps; derivatives by
// differences of `step`. Residuals beyond `outlier` count linearly (Huber 1964), by weights renewed each round.
// Deterministic. Cost: (parameters + a few) calls a round, at most 200 rounds.
Minimum least_squares(const Residuals& residuals, std::vector<double> start, double step, double outlier);

}  // namespace drover::calibrate
