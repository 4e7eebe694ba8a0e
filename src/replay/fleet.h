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

// What a workload wants of a node.
struct Needs {
  std::vector<std::string> models;  // by name, as model_named() knows them
  std::uint32_t context;            // tokens of each slot
};

// A node with that card: it holds those models that fit it, and has as many slots as fit, up to 8, 4 or 2 by its
// memory. It has no name.
sim::NodeSettings node_on(std::string_view card, const Needs& needs);
// `beginning-N`, with the least N from 1 that no node has.
std::string free_name(const Fleet& fleet, std::string_view beginning);

// `two`, `eight`, `hundred`: unlike nodes. nullopt: there is no such preset.
std::optional<Fleet> fleet_preset(std::string_view name, const Needs& needs);

// What a seed makes of a fleet: its nodes are not as their cards say, each figure by a factor of its own. It goes with
// a node's name, whatever others there are.
struct Truth {
  double spread = 0.3;  // factors lie between 1 - spread and 1 + spread, all alike often; below 1
  bool host_cache = true;
};
void make_true(Fleet& fleet, const Truth& truth, std::uint64_t seed);
// Of each model's text: 4 to a token, within the spread.
std::vector<double> draw_bytes_per_token(std::size_t models, double spread, std::uint64_t seed);

}  // namespace drover::replay
