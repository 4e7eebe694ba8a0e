#include "api/body_edit.h"

#include <algorithm>

#include "base/check.h"

namespace drover::api {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// Where the blanks before or behind a place begin or end.
std::uint64_t back_over_blanks(std::string_view body, std::uint64_t at) {
  while (at > 0 && kBlanks.find(body[at - 1]) != std::string_view::npos) --at;
  return at;
}
std::uint64_t over_blanks(std::string_view body, std::uint64_t at) {
  while (at < body.size() && kBlanks.find(body[at]) != std::string_view::npos) ++at;
  return at;
}

}  // namespace

Span with_comma(std::string_view body, Span member) {
  const std::uint64_t behind = over_blanks(body, member.end());
  if (behind < body.size() && body[behind] == ',') return {member.offset, behind + 1 - member.offset};
  // The last of its object takes the comma before it.
  const std::uint64_t before = back_over_blanks(body, member.offset);
  if (before == 0 || body[before - 1] != ',') return member;
  return {before - 1, member.end() - (before - 1)};
}

void EditedBody::replace(Span place, std::string_view text) {
  CHECK(count_ + 2 <= kMostPieces);
  const auto offset = [&](std::size_t piece) { return static_cast<std::size_t>(pieces_[piece].data() - body_.data()); };
  std::size_t at = 0;
  while (offset(at) + pieces_[at].size() < place.end()) at += 2;
  const auto cut = pieces_.begin() + static_cast<std::ptrdiff_t>(at);
  const auto end = pieces_.begin() + static_cast<std::ptrdiff_t>(count_);
  std::copy_backward(cut + 1, end, end + 2);
  const std::string_view whole = *cut;
  const std::size_t before = place.offset - offset(at);
  cut[0] = whole.substr(0, before);
  cut[1] = text;
  cut[2] = whole.substr(before + place.length);
  count_ += 2;
}

std::size_t EditedBody::size() const {
  std::size_t size = 0;
  for (const std::string_view piece : pieces()) size += piece.size();
  return size;
}

std::string EditedBody::text() const {
  std::string text;
  text.reserve(size());
  for (const std::string_view piece : pieces()) text += piece;
  return text;
}

}  // namespace drover::api
