#pragma once
// JSON as Go's encoding/json writes it, since clients and comparison tests see the bytes of real nodes beside ours.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace drover::api {

// `text` as a quoted JSON string: `<`, `>`, `&`, U+2028 and U+2029 escaped, control characters as \u00xx but for
// \b \f \n \r \t, invalid UTF-8 as \ufffd. Appends; O(n).
void append_go_string(std::string& out, std::string_view text);
std::string go_string(std::string_view text);

// RFC 3339 in UTC with up to nine fractional digits, trailing zeros trimmed, without quotes: 2026-08-22T10:00:00.14Z.
void append_go_time(std::string& out, Wall time);
std::string go_time(Wall time);
// The same into `to`, which has room for kMostGoTime characters. Returns the end of what was written.
inline constexpr std::size_t kMostGoTime = 30;
char* write_go_time(char* to, Wall time);

// The shortest decimal that reads back as the same float32, exponent form below 1e-6 and from 1e21 on. Finite only.
void append_go_float(std::string& out, float value);

}  // namespace drover::api
