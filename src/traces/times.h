#pragma once
// Points in time as CSV and JSON have them.

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace drover::traces {

// `2023-11-16 18:15:46.6805900` or with `T` between date and time, up to nine digits of a second; UTC, whether `Z` or
// `+00:00` says so or nothing does. Since 1970.
std::optional<Duration> read_time(std::string_view text);

}  // namespace drover::traces
