#pragma once
// What a terminal is like: its size, what it can show, and how many columns a text fills on it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace drover::cli {

struct Size {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

struct Style {
  bool colour = false;
  bool unicode = true;  // else nothing but ASCII is written
};

bool is_terminal(int descriptor);
// 80x24 when the terminal does not say, or it is none.
Size terminal_size(int descriptor);
// Whether somebody else has the terminal at the moment: we run behind a shell's prompt, and drawing would spoil it.
bool in_background(int terminal);
// Whether a picture can be drawn and kept up to date there: a terminal that can move its cursor and is ours.
bool can_draw(int descriptor);

// The environment, as far as it says how to write.
struct TerminalVariables {
  std::string no_color;  // NO_COLOR (no-color.org): any text but the empty one means no colours
  std::string term;      // TERM
  std::string locale;    // the first of LC_ALL, LC_CTYPE and LANG that is not empty
};
TerminalVariables terminal_variables();
// Colour only on a terminal that can. A file or a pipe gets UTF-8, whatever the locale says, so that names stay whole.
Style style_of(bool terminal, const TerminalVariables& variables);
Style style_of(int descriptor);

// Without what would do something to a terminal instead of showing: control characters, changes of the direction of
// text, broken UTF-8. Nodes choose their error texts, and so they must pass through here.
std::string printable(std::string_view text, const Style& style);

// How many columns it fills: none for combining marks, two for East Asian wide characters and emoji (Unicode annex 11).
// For these two functions the text must be printable.
std::size_t width_of(std::string_view text);
// The text, cut to so many columns; the last of them then shows that it was cut.
std::string fit(std::string_view text, std::size_t columns, const Style& style);

enum class Paint : std::uint8_t { plain, bold, dim, good, warning, bad };
// The text in that colour, if the style has colours.
std::string painted(std::string_view text, Paint paint, const Style& style);

}  // namespace drover::cli
