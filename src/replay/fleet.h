#pragma once
// The nodes of a replay: presets, and what is true of each machine that nobody was told.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/settings.h"

namespace drover::replay {

using Fleet = std::vector<sim::NodeSettings>;

// `two`, `eight`, `hundred`: unlike nodes. Each holds those of `models` that fit it, with `context` tokens for each
// slot, and has as many slots as fit, up to 8, 4 or 2 by its card. nullopt: there is no such preset.
std::optional<Fleet> fleet_preset(std::string_view name, const std::vector<std::string>& models, std::uint32_t context);

// What a seed makes of a fleet. Its nodes are another's than their cards say, each figure by a factor of its own.
struct Truth {
  double spread = 0.3;  // factors lie between 1 - spread and 1 + spread, all alike often; below 1
  bool host_cache = true;
};
void make_true(Fleet& fleet, const Truth& truth, std::uint64_t seed);
// Of each model's text: 4 to a token, within the spread.
std::vector<double> draw_bytes_per_token(std::size_t models, double spread, std::uint64_t seed);

}  // namespace drover::replay
