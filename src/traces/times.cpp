#include "traces/times.h"

#include <chrono>

#include "base/ascii.h"

namespace drover::traces {
namespace {

// The digits at the front, `count` of them, and the mark behind them.
std::optional<unsigned> take_number(std::string_view& text, std::size_t count, std::string_view marks) {
  const auto number = ascii::to_number(text.substr(0, count));
  if (!number || text.size() < count + (marks.empty() ? 0 : 1)) return std::nullopt;
  if (!marks.empty() && !marks.contains(text[count])) return std::nullopt;
  text.remove_prefix(count + (marks.empty() ? 0 : 1));
  return static_cast<unsigned>(*number);
}

}  // namespace

std::optional<Duration> read_time(std::string_view text) {
  for (const std::string_view utc : {"Z", "+00:00"}) {
    if (text.ends_with(utc)) text.remove_suffix(utc.size());
  }
  const auto year = take_number(text, 4, "-"), month = take_number(text, 2, "-"), day = take_number(text, 2, " T");
  const auto hour = take_number(text, 2, ":"), minute = take_number(text, 2, ":"), second = take_number(text, 2, "");
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  if (!date.ok() || *year < 1970 || *year > 2200 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::uint64_t nanoseconds = 0;
  if (!text.empty()) {
    constexpr std::size_t kDigits = 9;
    const std::string_view digits = text.substr(1);
    const auto fraction = ascii::to_number(digits);
    if (text.front() != '.' || !fraction || digits.size() > kDigits) return std::nullopt;
    nanoseconds = *fraction;
    for (std::size_t i = digits.size(); i < kDigits; ++i) nanoseconds *= 10;
  }
  return std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + Duration(nanoseconds);
}

}  // namespace drover::traces
