#include "load/outcome_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/ascii.h"

namespace drover::load {
namespace {

std::string milliseconds(const std::optional<Duration>& time) {
  return time ? fmt::format("{:.3f}", seconds(*time) * 1000) : "";
}

// What servers write must not add cells or lines, nor be taken for a formula.
std::string cell(std::string_view text) {
  const auto plain = [](char c) { return ascii::is_alnum(c) || std::string_view("_-.: ").contains(c); };
  std::string result(text);
  std::ranges::replace_if(result, [&plain](char c) { return !plain(c); }, '?');
  return result;
}

}  // namespace

std::string outcome_line(const Outcome& outcome) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", outcome.number, milliseconds(outcome.due),
                     milliseconds(outcome.sent), milliseconds(outcome.ended),
                     milliseconds(outcome.time_to_first_token()), milliseconds(outcome.time_per_token()),
                     milliseconds(outcome.end_to_end()), outcome.prompt.value, outcome.asked.value,
                     outcome.prompt_read.value, outcome.tokens.value, outcome.status, name(outcome.end),
                     cell(outcome.kind), cell(outcome.node), cell(outcome.request_id));
}

}  // namespace drover::load
