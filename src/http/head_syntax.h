#pragma once
// What the parsers of request and response heads share: where a head ends, and the grammar of its field lines. For
// those parsers only.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "http/fields.h"
#include "http/text_scan.h"

namespace drover::http {

inline constexpr auto kTokenChars = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  for (int c = 0; c < 128; ++c) {
    if (ascii::is_alnum(static_cast<char>(c))) table[static_cast<std::size_t>(c)] = true;
  }
  return table;
}();

// A character of a token (RFC 9110, section 5.6.2): methods, field names.
constexpr bool is_token_char(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }
bool is_token(std::string_view text);

inline constexpr int kNoHexDigit = -1;
inline constexpr auto kHexDigits = [] {
  std::array<std::int8_t, 256> table;
  table.fill(kNoHexDigit);
  for (std::int8_t digit = 0; digit < 16; ++digit) {
    table[static_cast<unsigned char>("0123456789abcdef"[digit])] = digit;
    table[static_cast<unsigned char>("0123456789ABCDEF"[digit])] = digit;
  }
  return table;
}();
constexpr int hex_digit(char c) { return kHexDigits[static_cast<unsigned char>(c)]; }  // 0 to 15, or kNoHexDigit

// Does `text` hold a control character other than HTAB? Bytes above 0x7f are none (obs-text).
inline bool has_control(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  return skip_text(begin, end) != end;
}

// Peer bytes for a message: what is not printable ASCII as \xNN, in quotes, cut after `most` bytes.
std::string quoted(std::string_view text, std::size_t most = 48);

// The blank line that ends a head.
struct HeadEnd {
  enum class Kind : std::uint8_t { missing, found, broken };
  Kind kind;
  std::size_t at = 0;      // found: offset just behind the blank line
  std::string_view fault;  // broken: what is wrong
};

// Looks for the end of the head whose first line starts at `begin`. The first `seen` bytes were looked at before. A
// line end without CR, and a head that cannot become valid any more, are told at once rather than after a time limit.
HeadEnd find_head_end(std::string_view bytes, std::size_t begin, std::size_t seen);

enum class LineFault : std::uint8_t { none, syntax, name, too_many };

enum class Underscore : std::uint8_t { allowed, refused };  // in field names

// The field lines in [begin, end) of `head`, every line ended by CRLF.
struct FieldLines {
  LineFault fault = LineFault::none;  // of the line behind the `count` good ones
  std::size_t count = 0;
};
FieldLines read_field_lines(std::string_view head, std::size_t begin, std::size_t end, Underscore underscore,
                            std::span<FieldSlot> into, KnownFields& known);

// What the Connection fields ask for.
struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool others = false;  // names of hop-by-hop fields
};
ConnectionOptions connection_options(const Fields& fields, const KnownFields& known);

}  // namespace drover::http
