#pragma once
// Durations and sizes as people write them.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/units.h"

namespace drover::config {

// `30s`, `250ms`, `1h30m`, `7d`: whole numbers with units d h m s ms us ns, largest first, each at most once. nullopt:
// not of that form, or beyond 200 years.
std::optional<Duration> parse_duration(std::string_view text);
// The shortest text that parse_duration reads as the same.
std::string duration_text(Duration duration);

// `64MiB`, `512KiB`, `8GiB`, `100B`; also the powers of ten, `64MB`. A bare number has no unit and is none. nullopt:
// not of that form, or beyond 2^63.
std::optional<Bytes> parse_size(std::string_view text);
// In the largest unit of two that divides it.
std::string size_text(Bytes size);

}  // namespace drover::config
