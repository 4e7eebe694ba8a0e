#include "http/head_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "base/ascii.h"

namespace drover::http {
namespace {

constexpr auto kTokenChars = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  for (int c = 0; c < 128; ++c) {
    if (ascii::is_alnum(static_cast<char>(c))) table[static_cast<std::size_t>(c)] = true;
  }
  return table;
}();

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

// Do the eight bytes at `at` hold one below 0x20, HTAB among them, or DEL? All at once: a byte of `word - low` or
// `del - ones` borrows into its top bit only if it was below (Mycroft's test for a zero byte).
bool may_hold_control(const char* at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kTops = 0x80 * kOnes, kLow = 0x20 * kOnes;
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  const std::uint64_t del = word ^ (0x7f * kOnes);
  return ((((word - kLow) & ~word) | ((del - kOnes) & ~del)) & kTops) != 0;
}

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

bool is_token_char(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return kNoHexDigit;
}

bool has_control(std::string_view text) {
  if (text.size() < sizeof(std::uint64_t)) return std::any_of(text.begin(), text.end(), is_control);
  bool suspicious =
      may_hold_control(text.data() + text.size() - sizeof(std::uint64_t));  // overlaps the last whole word
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= text.size(); i += sizeof(std::uint64_t)) {
    suspicious |= may_hold_control(text.data() + i);
  }
  return suspicious && std::any_of(text.begin(), text.end(), is_control);
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
    const auto* name_end = std::find_if_not(line.begin(), line.end(), [](char c) { return is_token_char(c); });
    const auto colon = static_cast<std::size_t>(name_end - line.begin());
    if (colon == line.size() || line[colon] == ' ' || line[colon] == '\t') return faulty(LineFault::syntax);
    if (colon == 0 || line[colon] != ':') return faulty(LineFault::name);
    const auto name = line.substr(0, colon);
    if (underscore == Underscore::refused && name.find('_') != std::string_view::npos) return faulty(LineFault::name);
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
