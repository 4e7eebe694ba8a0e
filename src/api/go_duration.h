#pragma once
// Durations as Go writes them: "1h30m", "250ms", "-1.5s", "0".

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace drover::api {

// As Go's time.ParseDuration: units ns, us, µs, μs, ms, s, m and h; a number without one is refused, but for "0".
std::optional<Duration> parse_go_duration(std::string_view text);

}  // namespace drover::api
