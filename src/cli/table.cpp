#include "cli/table.h"

#include <algorithm>

#include "base/check.h"

namespace drover::cli {
namespace {

constexpr std::size_t kGap = 2;

}  // namespace

std::string line_of(std::span<const Piece> pieces, std::size_t columns, const Style& style) {
  std::string line;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::string text = printable(pieces[i].text, style);
    const bool is_last = i + 1 == pieces.size();
    const bool is_cut = width_of(text) + (is_last ? 0 : 1) > columns;  // the next piece would find no room
    if (is_cut) text = fit(text + " ", columns, style);
    columns -= width_of(text);
    line += painted(text, pieces[i].paint, style);
    if (is_cut) break;
  }
  return line;
}

Table::Table(std::vector<Column> columns, const Style& style)
    : columns_(std::move(columns)), style_(style), natural_(columns_.size()) {
  for (std::size_t i = 0; i < columns_.size(); ++i) natural_[i] = width_of(columns_[i].title);
}

void Table::add(std::vector<Piece> row) {
  CHECK(row.size() == columns_.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i].text = printable(row[i].text, style_);
    natural_[i] = std::max(natural_[i], width_of(row[i].text));
  }
  rows_.push_back(std::move(row));
}

std::string Table::titles(std::size_t room) const {
  std::vector<Piece> row;
  for (const Column& column : columns_) row.push_back({std::string(column.title), Paint::dim});
  return line(row, widths(room));
}

std::vector<std::string> Table::lines(std::size_t room) const {
  const auto fitted = widths(room);
  std::vector<std::string> result;
  for (const auto& row : rows_) result.push_back(line(row, fitted));
  return result;
}

std::size_t Table::least(std::size_t column) const {
  const std::size_t least = columns_[column].least;
  return least == 0 ? natural_[column] : std::min(least, natural_[column]);
}

std::vector<std::size_t> Table::widths(std::size_t room) const {
  std::vector<std::size_t> result;
  std::size_t used = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::size_t needed = least(i) + (i == 0 ? 0 : kGap);
    if (i > 0 && used + needed > room) break;
    used += needed;
    result.push_back(least(i));
  }
  if (used > room) return {room};  // one column, and even that is too wide
  std::size_t spare = room - used;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::size_t more = std::min(spare, natural_[i] - result[i]);
    result[i] += more;
    spare -= more;
  }
  return result;
}

std::string Table::line(const std::vector<Piece>& row, const std::vector<std::size_t>& widths) const {
  std::string line;
  std::size_t blanks = 0;  // owed before the next text, so that no line ends in blanks
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string text = fit(row[i].text, widths[i], style_);
    const std::size_t padding = widths[i] - width_of(text);
    if (i > 0) blanks += kGap;
    if (columns_[i].right) blanks += padding;
    if (!text.empty()) {
      line.append(blanks, ' ').append(painted(text, row[i].paint, style_));
      blanks = 0;
    }
    if (!columns_[i].right) blanks += padding;
  }
  return line;
}

}  // namespace drover::cli
