#pragma once
// The times that are measured of each request, under the names that goals, assertions and reports use.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "load/outcome.h"

namespace drover::load {

enum class Figure : std::uint8_t {
  ttft,  // to the first token, from when the request was due
  tpot,  // for each further token, at the mean
  e2e,   // to the end, from when the request was due
  slip,  // how late the tool itself was
};
inline constexpr std::array kFigures{Figure::ttft, Figure::tpot, Figure::e2e, Figure::slip};

std::string_view name(Figure figure);
std::optional<Figure> figure_named(std::string_view name);
// nullopt: the request has no such time.
std::optional<Duration> figure_of(const Outcome& outcome, Figure figure);

}  // namespace drover::load
