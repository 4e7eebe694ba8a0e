#pragma once
// Lines and tables that keep to the columns a terminal has.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"

namespace drover::cli {

inline constexpr std::size_t kAnyWidth = static_cast<std::size_t>(-1);

// A text of one colour. It need not be printable: whatever writes it sees to that.
struct Piece {
  std::string text;
  Paint paint = Paint::plain;
};

// The pieces side by side, cut where `columns` end.
std::string line_of(std::span<const Piece> pieces, std::size_t columns, const Style& style);

struct Column {
  std::string_view title;
  bool right = false;     // numbers stand on the right
  std::size_t least = 0;  // may be cut down to this width; 0: never cut
};

// Columns as wide as their cells, two blanks between them. Where the room is less, those at the end that find none are
// left out (so the most important one comes first), and then the ones that may be cut share what there is.
class Table {
 public:
  Table(std::vector<Column> columns, const Style& style);

  void add(std::vector<Piece> row);  // one cell a column
  std::string titles(std::size_t room) const;
  std::vector<std::string> lines(std::size_t room) const;  // without the titles

 private:
  std::size_t least(std::size_t column) const;
  std::vector<std::size_t> widths(std::size_t room) const;  // of the columns that are shown
  std::string line(const std::vector<Piece>& row, const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  Style style_;
  std::vector<std::size_t> natural_;  // widths that cut nothing
  std::vector<std::vector<Piece>> rows_;
};

}  // namespace drover::cli
