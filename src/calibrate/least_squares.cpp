#include "calibrate/least_squares.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace drover::calibrate {
namespace {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;

constexpr int kMostRounds = 200;
constexpr double kMostDamping = 1e8;
constexpr double kSmallGain = 1e-7;  // relative: the end

double huber(double residual, double outlier) {
  const double size = std::abs(residual);
  return size <= outlier ? size * size : 2 * outlier * size - outlier * outlier;
}

double cost_of(const Vector& residuals, double outlier) {
  return std::accumulate(residuals.begin(), residuals.end(), 0.0,
                         [&](double sum, double each) { return sum + huber(each, outlier); });
}

// Gauss's elimination with the largest pivot of each column. `a` is positive definite here, thanks to the damping.
Vector solve(Matrix a, Vector b) {
  const std::size_t n = b.size();
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < n; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    std::swap(a[column], a[pivot]);
    std::swap(b[column], b[pivot]);
    for (std::size_t row = column + 1; row < n; ++row) {
      const double factor = a[row][column] / a[column][column];
      for (std::size_t i = column; i < n; ++i) a[row][i] -= factor * a[column][i];
      b[row] -= factor * b[column];
    }
  }
  for (std::size_t row = n; row-- > 0;) {
    for (std::size_t i = row + 1; i < n; ++i) b[row] -= a[row][i] * b[i];
    b[row] /= a[row][row];
  }
  return b;
}

// The normal equations of the weighted problem, linear around `at`.
struct Normal {
  Matrix squares;
  Vector gradient;
};
Normal normal_equations(const Residuals& residuals, const Vector& at, const Vector& here, double step, double outlier) {
  const std::size_t n = at.size();
  Matrix slopes(n);
  for (std::size_t i = 0; i < n; ++i) {
    Vector moved = at;
    moved[i] += step;
    slopes[i] = residuals(moved);
    for (std::size_t row = 0; row < here.size(); ++row) slopes[i][row] = (slopes[i][row] - here[row]) / step;
  }
  Normal normal{Matrix(n, Vector(n)), Vector(n)};
  for (std::size_t row = 0; row < here.size(); ++row) {
    const double weight = std::min(1.0, outlier / std::max(std::abs(here[row]), 1e-12));
    for (std::size_t i = 0; i < n; ++i) {
      normal.gradient[i] -= weight * slopes[i][row] * here[row];
      for (std::size_t j = 0; j < n; ++j) normal.squares[i][j] += weight * slopes[i][row] * slopes[j][row];
    }
  }
  return normal;
}

}  // namespace

Minimum least_squares(const Residuals& residuals, std::vector<double> start, double step, double outlier) {
  Minimum best{.parameters = std::move(start)};
  Vector here = residuals(best.parameters);
  best.cost = cost_of(here, outlier);
  double damping = 1e-2;
  while (best.rounds < kMostRounds && damping < kMostDamping) {
    ++best.rounds;
    const Normal normal = normal_equations(residuals, best.parameters, here, step, outlier);
    const double before = best.cost;
    while (damping < kMostDamping) {
      Matrix damped = normal.squares;
      for (std::size_t i = 0; i < damped.size(); ++i) damped[i][i] += damping * (damped[i][i] + 1e-9);
      Vector moved = best.parameters;
      const Vector by = solve(std::move(damped), normal.gradient);
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += by[i];
      Vector there = residuals(moved);
      if (const double cost = cost_of(there, outlier); cost < best.cost) {
        best.cost = cost;
        best.parameters = std::move(moved);
        here = std::move(there);
        damping = std::max(damping / 5, 1e-9);
        break;
      }
      damping *= 4;
    }
    if (before - best.cost < kSmallGain * before) break;
  }
  return best;
}

}  // namespace drover::calibrate
