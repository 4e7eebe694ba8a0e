#pragma once
// What tenants get of a fleet, each for itself and against one another.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "replay/stage.h"
#include "replay/summary.h"

namespace drover::replay {

struct TenantFigures {
  std::string name;
  std::uint64_t requests = 0;
  std::uint64_t ok = 0;
  double tokens = 0;  // served, by their weights
  Summary end_to_end{};
  Summary waited{};
};

struct Fairness {
  std::vector<TenantFigures> tenants;  // by number
  std::size_t modest = 0;              // the one that asks least
  // Of all windows of a minute, begun ten seconds apart, in which two tenants have work waiting all the time: by how
  // much the one was served fewer tokens than the other, as a part of the latter.
  std::uint64_t windows = 0;
  double gap_mean = 0;
  double gap_max = 0;

  // The modest one's, otherwise.
  struct Reference {
    Summary end_to_end;
    Summary waited;
  };
  std::optional<Reference> prior{};  // its requests before all others that wait, under `informed`
  std::optional<Reference> alone{};  // without the others, under the same policy
};

// A token that is written is worth two that are read, as is usual (Sheng and others: Fairness in serving large language
// models, OSDI 2024).
inline constexpr double kWrittenWeight = 2;

// `names`: of the tenants, two or more.
Fairness fairness_of(std::span<const Request> requests, std::span<const std::string> names);

}  // namespace drover::replay
