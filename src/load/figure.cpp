#include "load/figure.h"

#include <algorithm>

namespace drover::load {

std::string_view name(Figure figure) {
  switch (figure) {
    case Figure::ttft: return "ttft";
    case Figure::tpot: return "tpot";
    case Figure::e2e: return "e2e";
    case Figure::slip: return "slip";
  }
  return {};
}

std::optional<Figure> figure_named(std::string_view text) {
  const auto found = std::ranges::find(kFigures, text, [](Figure each) { return name(each); });
  return found == kFigures.end() ? std::nullopt : std::optional(*found);
}

std::optional<Duration> figure_of(const Outcome& outcome, Figure figure) {
  switch (figure) {
    case Figure::ttft: return outcome.time_to_first_token();
    case Figure::tpot: return outcome.time_per_token();
    case Figure::e2e: return outcome.end_to_end();
    case Figure::slip: return outcome.slip();
  }
  return std::nullopt;
}

}  // namespace drover::load
