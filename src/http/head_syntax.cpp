#include "http/head_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/ascii.h"

namespace drover::http {
namespace {

enum class NameChar : std::uint8_t { none, token, underscore };

constexpr auto kNameChars = [] {
  std::array<NameChar, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^`|~")) table[static_cast<unsigned char>(c)] = NameChar::token;
  for (int c = 0; c < 128; ++c) {
    if (ascii::is_alnum(static_cast<char>(c))) table[static_cast<std::size_t>(c)] = NameChar::token;
  }
  table['_'] = NameChar::underscore;  // a token character, but one that some servers take for '-'
  return table;
}();

NameChar name_char(char c) { return kNameChars[static_cast<unsigned char>(c)]; }

// The bytes of an unfinished head may still be anything but these.
std::string_view fault_in_part(std::string_view part) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    const auto c = static_cast<unsigned char>(part[i]);
    if (c >= 0x20 && c != 0x7f) continue;
    if (c == '\r' && i + 1 < part.size() && part[i + 1] != '\n') return "a CR without LF";
    if (c != '\r' && c != '\n' && c != '\t') return "a control character";
  }
  return {};
}

}  // namespace

bool is_token_char(char c) { return name_char(c) != NameChar::none; }

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return kNoHexDigit;
}

bool has_control(std::string_view text) {
  // No early exit and one byte per lane, so that the compiler makes vector code of it.
  std::uint8_t bad = 0;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    bad = static_cast<std::uint8_t>(bad | ((byte < 0x20) & (byte != '\t')) | (byte == 0x7f));
  }
  return bad != 0;
}

std::string quoted(std::string_view text, std::size_t most) {
  std::string result = "\"";
  for (const char c : text.substr(0, most)) {
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      result += c;
    } else {
      fmt::format_to(std::back_inserter(result), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  result += text.size() > most ? "...\"" : "\"";
  return result;
}

HeadEnd find_head_end(std::string_view bytes, std::size_t begin, std::size_t seen) {
  auto newline = bytes.find('\n', std::max(begin, seen));
  for (; newline != std::string_view::npos; newline = bytes.find('\n', newline + 1)) {
    if (newline == begin || bytes[newline - 1] != '\r') return {HeadEnd::Kind::broken, 0, "a line end without CR"};
    if (newline >= begin + 2 && bytes[newline - 2] == '\n') return {HeadEnd::Kind::found, newline + 1, {}};
  }
  // Again from the last byte seen, which may be a CR that the next byte has to follow.
  const auto from = std::max(begin, seen == 0 ? 0 : seen - 1);
  const auto fault = from < bytes.size() ? fault_in_part(bytes.substr(from)) : std::string_view{};
  return fault.empty() ? HeadEnd{HeadEnd::Kind::missing, 0, {}} : HeadEnd{HeadEnd::Kind::broken, 0, fault};
}

FieldLines read_field_lines(std::string_view head, std::size_t begin, std::size_t end, Underscore underscore,
                            std::span<FieldSlot> into, KnownFields& known) {
  FieldLines lines;
  const auto faulty = [&](LineFault fault) { return FieldLines{fault, lines.count}; };
  for (std::size_t at = begin; at < end;) {
    const auto line = head.substr(at, head.find('\n', at) - 1 - at);
    std::size_t colon = 0;
    bool has_underscore = false;
    for (; colon < line.size() && is_token_char(line[colon]); ++colon) {
      has_underscore |= name_char(line[colon]) == NameChar::underscore;
    }
    if (colon == line.size() || line[colon] == ' ' || line[colon] == '\t') return faulty(LineFault::syntax);
    if (colon == 0 || line[colon] != ':') return faulty(LineFault::name);
    if (has_underscore && underscore == Underscore::refused) return faulty(LineFault::name);
    const auto name = line.substr(0, colon);
    const auto value = ascii::trim(line.substr(colon + 1));
    if (has_control(value)) return faulty(LineFault::syntax);
    if (lines.count == into.size()) return faulty(LineFault::too_many);

    const auto value_at = value.empty() ? at + colon + 1 : static_cast<std::size_t>(value.data() - head.data());
    into[lines.count] = {.name_at = static_cast<std::uint16_t>(at),
                         .name_size = static_cast<std::uint16_t>(name.size()),
                         .value_at = static_cast<std::uint16_t>(value_at),
                         .value_size = static_cast<std::uint16_t>(value.size())};
    known.note(known_field(name), lines.count);
    ++lines.count;
    at += line.size() + 2;
  }
  return lines;
}

ConnectionOptions connection_options(const Fields& fields, const KnownFields& known) {
  ConnectionOptions options;
  const auto first = known.first(Known::connection);
  if (!first) return options;
  for (std::size_t i = *first; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (!ascii::equal_fold(field.name, name(Known::connection))) continue;
    for_each_element(field.value, [&](std::string_view option) {
      if (ascii::equal_fold(option, "close")) options.close = true;
      if (ascii::equal_fold(option, "keep-alive")) options.keep_alive = true;
    });
    if (!known.repeated(Known::connection)) break;
  }
  return options;
}

}  // namespace drover::http
