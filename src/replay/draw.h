#pragma once
// Draws from the distributions that loads have.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "base/clock.h"
#include "base/random.h"

namespace drover::replay {

// Of mean 0 and variance 1 (Box, Muller 1958).
inline double normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log1p(-random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

// Its logarithm is normal: half of all values are above `median`, few are far above it. `sigma`: of the logarithm.
inline double lognormal(Random& random, double median, double sigma) {
  return median * std::exp(sigma * normal(random));
}

inline std::uint32_t lognormal_tokens(Random& random, double median, double sigma, double least, double most) {
  return static_cast<std::uint32_t>(std::clamp(lognormal(random, median, sigma), least, most));
}

// Between two events of which `rate` come a second, independently of one another (a Poisson process).
inline Duration gap(Random& random, double rate) {
  return Duration(std::llround(-std::log1p(-random.uniform()) / rate * 1e9));
}

}  // namespace drover::replay
