#pragma once
// A fleet as people write it: which machines there are, and what would be if there were others.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/error.h"
#include "replay/fleet.h"

namespace drover::replay {

// YAML: `nodes`, a list of maps of `card` and, if need be, name, count, slots, context, max_loaded and models; those
// without a model list hold `needs.models`. All mistakes at once, with their places.
std::expected<Fleet, std::vector<config::ConfigError>> parse_fleet(std::string_view text, const std::string& filename,
                                                                   const Needs& needs);

// `add 1 x fast`, `remove 2 x slow`, several with commas between them. What is removed is named by its card, by its
// name, or by that without its number, and goes from the end. Error (invalid): what cannot be read, or what there is
// none of.
Result<void> change_fleet(Fleet& fleet, std::string_view change, const Needs& needs);

}  // namespace drover::replay
