#include "api/body_edit.h"

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

std::vector<Span> removals(std::string_view body, const Understood& understood, ReloadSet options) {
  std::vector<Span> pieces;
  for (const ReloadSetting& setting : understood.reload.all()) {
    if (!options.has(setting.option)) continue;
    std::uint64_t begin = setting.member.offset;
    std::uint64_t end = over_blanks(body, setting.member.end());
    if (end < body.size() && body[end] == ',') {
      ++end;
    } else {
      // The last of its object takes the comma before it. The members there may be gone already, each with the comma
      // behind it: then the comma that is left is the one before them.
      while (!pieces.empty() && pieces.back().end() == back_over_blanks(body, begin)) {
        begin = pieces.back().offset;
        pieces.pop_back();
      }
      const std::uint64_t before = back_over_blanks(body, begin);
      if (before > 0 && body[before - 1] == ',') begin = before - 1;
    }
    pieces.push_back({begin, end - begin});
  }
  return pieces;
}

std::string without(std::string_view body, const std::vector<Span>& pieces) {
  std::string kept;
  kept.reserve(body.size());
  std::uint64_t at = 0;
  for (const Span& piece : pieces) {
    kept.append(body, at, piece.offset - at);
    at = piece.end();
  }
  return kept.append(body, at);
}

}  // namespace drover::api
