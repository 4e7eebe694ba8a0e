#include "balance/consistent_hash.h"

#include <algorithm>
#include <cmath>

#include "balance/least_connections.h"

namespace drover::balance {
namespace {

// How far it is from `place` to the next of the points, once around the ring.
std::uint32_t way_to(const std::vector<std::uint32_t>& points, std::uint32_t place) {
  const auto next = std::ranges::lower_bound(points, place);
  return (next == points.end() ? points.front() : *next) - place;
}

}  // namespace

// The first so many of an endless row that only the machine decides, so that another weight moves as little as it can.
const ConsistentHash::Points& ConsistentHash::points_of(const Candidate& candidate) const {
  const auto count = static_cast<std::size_t>(std::max(1.0, std::round(candidate.weight * kPointsAWeight)));
  Points& points = points_[candidate.identity];
  if (points.size() == count) return points;
  points.resize(count);
  Random row(candidate.identity);
  for (std::uint32_t& point : points) point = static_cast<std::uint32_t>(row.next() >> 32);
  std::ranges::sort(points);
  return points;
}

void ConsistentHash::forget_those_who_left(std::span<const Candidate> candidates) const {
  constexpr std::size_t kSpare = 64;  // that may be looked at by other models, or come back
  if (points_.size() <= 2 * candidates.size() + kSpare) return;
  points_.clear();
}

Pick ConsistentHash::pick(std::span<const Candidate> candidates, const PickContext& context) const {
  if (context.affinity == 0) return LeastConnections().pick(candidates, context);
  forget_those_who_left(candidates);
  double weights = 0;
  double in_flight = 1;  // this one
  for (const Candidate& candidate : candidates) {
    if (candidate.readiness == Readiness::absent) continue;
    weights += candidate.weight;
    in_flight += candidate.in_flight;
  }

  const auto place = static_cast<std::uint32_t>(Random(context.affinity).next() >> 32);
  struct Nearest {
    std::optional<std::size_t> candidate;
    std::uint32_t way = 0;
    void offer(std::size_t other, std::uint32_t other_way) {
      if (!candidate || other_way < way) candidate = other, way = other_way;
    }
  };
  Nearest within_bound;
  Nearest any;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (candidate.readiness != Readiness::ready) continue;
    const std::uint32_t way = way_to(points_of(candidate), place);
    const double share = in_flight * candidate.weight / weights;
    if (candidate.in_flight + 1 <= std::ceil(kBound * share)) within_bound.offer(i, way);
    any.offer(i, way);
  }
  if (!any.candidate) return WaitFor{};
  return StartOn{within_bound.candidate.value_or(*any.candidate)};
}

}  // namespace drover::balance
