#include "fleet/alias.h"

#include <algorithm>
#include <cmath>

#include "api/xxh3.h"
#include "base/random.h"
#include "fleet/fleet_view.h"

namespace drover::fleet {
namespace {

// A number as one between 0 and 1, neither included.
double fraction(std::uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; }

}  // namespace

void Alias::add(const Model& model, unsigned weight) {
  shares_.push_back({&model, static_cast<double>(weight), api::xxh3(model.key)});
  weights_ += static_cast<double>(weight);
}

const Model& Alias::model_for(std::uint64_t affinity, std::uint64_t turn) const {
  if (affinity != 0) {
    const auto score = [&](const Share& share) {
      return share.weight / -std::log(fraction(Random(affinity ^ share.seed).next()));
    };
    return *std::ranges::max_element(shares_, {}, score)->model;
  }
  // Multiples of the golden ratio fall into any part of the whole about as often as it is large, however few they are.
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
  double place = fraction(turn * kGolden) * weights_;
  for (const Share& share : shares_) {
    if (place < share.weight) return *share.model;
    place -= share.weight;
  }
  return *shares_.back().model;
}

}  // namespace drover::fleet
