#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "base/ascii.h"

namespace drover::cli {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

struct Range {
  char32_t first, last;
};

bool is_in(std::span<const Range> ranges, char32_t character) {
  return std::ranges::any_of(ranges, [&](Range range) { return character >= range.first && character <= range.last; });
}

// Blocks rather than single characters: an unassigned one inside shows as a box of the same width.
constexpr Range kWide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},
                           {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                           {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
                           {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};
constexpr Range kNoWidth[] = {{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},  {0x064b, 0x065f},
                              {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},  {0x200b, 0x200d},
                              {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
// C0 and DEL, C1, ends of lines, changes of direction, the byte order mark.
constexpr Range kNotShown[] = {{0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200e, 0x200f},
                               {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};

struct Character {
  std::string_view bytes;
  char32_t code;
  bool valid = true;
};

// The first character; `text` must not be empty. A byte that begins none is a character of its own, not a valid one.
Character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {text.substr(0, 1), lead};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const Character broken{text.substr(0, 1), 0xfffd, false};
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return broken;
  char32_t code = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return broken;
    code = code << 6 | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (overlong || surrogate || code > 0x10ffff) return broken;
  return {text.substr(0, length), code};
}

std::size_t width_of(char32_t character) {
  if (character < 0x300) return 1;
  if (is_in(kNoWidth, character)) return 0;
  return is_in(kWide, character) ? 2 : 1;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_utf8(std::string_view locale) {
  const std::string folded = ascii::lower(locale);
  return folded.find("utf-8") != std::string::npos || folded.find("utf8") != std::string::npos;
}

bool moves_its_cursor(const TerminalVariables& variables) {
  return !variables.term.empty() && variables.term != "dumb";
}

std::string_view code_of(Paint paint) {
  switch (paint) {
    case Paint::plain: return "";
    case Paint::bold: return "\x1b[1m";
    case Paint::dim: return "\x1b[2m";
    case Paint::good: return "\x1b[32m";
    case Paint::warning: return "\x1b[33m";
    case Paint::bad: return "\x1b[31m";
  }
  return "";
}

}  // namespace

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

Size terminal_size(int descriptor) {
  winsize window{};
  if (::ioctl(descriptor, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) return {};
  return {.columns = window.ws_col, .rows = window.ws_row};
}

bool in_background(int terminal) {
  const pid_t front = ::tcgetpgrp(terminal);  // -1: it is not the terminal that controls us, so no shell shares it
  return front >= 0 && front != ::getpgrp();
}

bool can_draw(int descriptor) {
  return is_terminal(descriptor) && moves_its_cursor(terminal_variables()) && !in_background(descriptor);
}

TerminalVariables terminal_variables() {
  TerminalVariables variables{.no_color = variable("NO_COLOR"), .term = variable("TERM"), .locale = variable("LC_ALL")};
  if (variables.locale.empty()) variables.locale = variable("LC_CTYPE");
  if (variables.locale.empty()) variables.locale = variable("LANG");
  return variables;
}

Style style_of(bool terminal, const TerminalVariables& variables) {
  return {.colour = terminal && variables.no_color.empty() && moves_its_cursor(variables),
          .unicode = !terminal || is_utf8(variables.locale)};
}

Style style_of(int descriptor) { return style_of(is_terminal(descriptor), terminal_variables()); }

std::string printable(std::string_view text, const Style& style) {
  std::string shown;
  while (!text.empty()) {
    const Character character = first_of(text);
    text.remove_prefix(character.bytes.size());
    const bool speaks = character.valid && !is_in(kNotShown, character.code);
    if (speaks && (style.unicode || character.code < 0x80)) {
      shown += character.bytes;
    } else {
      shown += style.unicode ? kReplacement : std::string_view("?");
    }
  }
  return shown;
}

std::size_t width_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character character = first_of(text);
    columns += width_of(character.code);
    text.remove_prefix(character.bytes.size());
  }
  return columns;
}

std::string fit(std::string_view text, std::size_t columns, const Style& style) {
  if (width_of(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  std::string kept;
  for (std::size_t left = columns - 1; !text.empty();) {
    const Character character = first_of(text);
    const std::size_t width = width_of(character.code);
    if (width > left) break;
    left -= width;
    kept += character.bytes;
    text.remove_prefix(character.bytes.size());
  }
  return kept + (style.unicode ? "…" : "~");
}

std::string painted(std::string_view text, Paint paint, const Style& style) {
  if (!style.colour || paint == Paint::plain || text.empty()) return std::string(text);
  return std::string(code_of(paint)).append(text).append("\x1b[0m");
}

}  // namespace drover::cli
