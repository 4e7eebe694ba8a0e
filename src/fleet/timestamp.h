#pragma once
// Times as nodes write them: RFC 3339 with any offset, up to nine fractional digits (Go's encoding of time.Time).

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace drover::fleet {

// nullopt: not of that form. Years beyond what nanoseconds can hold (1677 to 2262) become the bound: a node says 2318
// for a model that stays loaded for ever, and 0001 for a time it does not know.
std::optional<Wall> parse_timestamp(std::string_view text);

}  // namespace drover::fleet
