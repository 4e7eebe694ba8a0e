#include "load/histogram.h"

#include <algorithm>
#include <bit>

namespace drover::bench {
namespace {

constexpr std::int64_t kStepNs = 100;
constexpr std::size_t kFine = 65'536;
constexpr int kPartBits = 6;

std::size_t coarse_index(std::uint64_t ns) {
  const auto exponent = static_cast<int>(std::bit_width(ns)) - 1;
  const std::uint64_t part = (ns >> (exponent - kPartBits)) & ((1U << kPartBits) - 1);
  return static_cast<std::size_t>(exponent) << kPartBits | part;
}

double coarse_us(std::size_t index) {
  const auto exponent = static_cast<int>(index >> kPartBits);
  const std::uint64_t lower = ((1ULL << kPartBits) | (index & ((1U << kPartBits) - 1))) << (exponent - kPartBits);
  return static_cast<double>(lower) / 1000;
}

}  // namespace

Histogram::Histogram() : fine_(kFine) {}

void Histogram::add(std::int64_t ns) {
  ns = std::max<std::int64_t>(ns, 0);
  const auto step = static_cast<std::size_t>(ns / kStepNs);
  if (step < kFine) {
    ++fine_[step];
  } else {
    ++coarse_[coarse_index(static_cast<std::uint64_t>(ns))];
  }
  ++count_;
  longest_ns_ = std::max(longest_ns_, ns);
}

double Histogram::quantile(double part) const {
  if (count_ == 0) return 0;
  auto left = static_cast<std::uint64_t>(part * static_cast<double>(count_ - 1));
  for (std::size_t i = 0; i < kFine; ++i) {
    if (left < fine_[i]) return (static_cast<double>(i) + 0.5) * kStepNs / 1000;
    left -= fine_[i];
  }
  for (std::size_t i = 0; i < coarse_.size(); ++i) {
    if (left < coarse_[i]) return coarse_us(i);
    left -= coarse_[i];
  }
  return longest();
}

}  // namespace drover::bench
