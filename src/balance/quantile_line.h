#pragma once
#include <array>
#include <cstddef>

namespace drover::balance {

// A line through a cloud of points whose y is disturbed upwards: of the last eight points a fifth lies below it, which
// of eight values in a row is the second. It is a regression quantile (R. Koenker and G. Bassett, Econometrica 1978),
// the best of which goes through two of the points; with each point come those through it, and the line that was stays
// if none is better.
class QuantileLine {
 public:
  // Before the first point: through (0, 0).
  explicit QuantileLine(double slope) : slope_(slope) {}

  // x > 0, y >= 0.
  void add(double x, double y);
  double at(double x) const { return offset_ + slope_ * x; }
  double offset() const { return offset_; }  // never below 0
  double slope() const { return slope_; }    // above 0
  bool known() const { return count_ > 0; }
  // All y are to be taken for so many times as large.
  void scale(double factor);

 private:
  static constexpr std::size_t kPoints = 8;

  double loss(double offset, double slope) const;

  std::array<double, kPoints> x_{}, y_{};  // x = 0: there is none yet
  std::size_t count_ = 0;                  // ever
  double offset_ = 0;
  double slope_;
};

}  // namespace drover::balance
