#include "balance/quantile_line.h"

#include <algorithm>
#include <cmath>

namespace drover::balance {
namespace {

constexpr double kQuantile = 0.2;
constexpr double kApart = 0.05;  // two points whose x differ by less, as a part of it, make no line
constexpr double kSteady = 0.1;  // of a point: what the last offset counts for

double penalty(double residual) { return std::max(kQuantile * residual, (kQuantile - 1) * residual); }

}  // namespace

double QuantileLine::loss(double offset, double slope) const {
  double sum = kSteady * std::abs(offset_ - offset);
  for (std::size_t i = 0; i < kPoints; ++i) {
    const double residual = y_[i] - offset - slope * x_[i];
    sum += x_[i] > 0 ? penalty(residual) : 0;
  }
  return sum;
}

void QuantileLine::add(double x, double y) {
  const bool first = count_ == 0;
  x_[count_ % kPoints] = x;
  y_[count_ % kPoints] = y;
  ++count_;

  double best_offset = offset_, best_slope = slope_;
  double least = first ? INFINITY : loss(offset_, slope_);
  const auto consider = [&](double offset, double slope) {
    if (offset < 0 || slope <= 0) return;
    const double its = loss(offset, slope);
    if (its < least) least = its, best_offset = offset, best_slope = slope;
  };
  consider(0, y / x);
  consider(offset_, (y - offset_) / x);
  for (std::size_t i = 0; i < std::min(count_, kPoints); ++i) {
    if (std::abs(x_[i] - x) <= kApart * x) continue;
    const double slope = (y - y_[i]) / (x - x_[i]);
    consider(y - slope * x, slope);
  }
  offset_ = best_offset;
  slope_ = best_slope;
}

void QuantileLine::scale(double factor) {
  for (double& y : y_) y *= factor;
  offset_ *= factor;
  slope_ *= factor;
}

}  // namespace drover::balance
