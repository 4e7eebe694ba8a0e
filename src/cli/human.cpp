#include "cli/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace drover::cli {

std::string human_count(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t sign = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string human_size(std::int64_t bytes) {
  auto size = static_cast<double>(std::max<std::int64_t>(bytes, 0));
  for (const std::string_view unit : {"B", "KB", "MB", "GB"}) {
    if (size < 999.5) return fmt::format("{:.{}f} {}", size, unit != "B" && size < 9.95 ? 1 : 0, unit);
    size /= 1000;
  }
  return fmt::format("{:.{}f} TB", size, size < 9.95 ? 1 : 0);
}

std::string human_duration(double duration) {
  // NaN and what no clock reaches become zero: the number comes from a document.
  if (!(duration >= 0 && duration < 1e12)) duration = 0;
  if (duration < 10) return fmt::format("{:.1f}s", std::floor(duration * 10) / 10);
  const auto whole = static_cast<std::int64_t>(duration);
  const std::int64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", minutes, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", hours, minutes);
  return fmt::format("{}d{}h", days, hours);
}

std::string human_latency(Duration time) {
  const double milliseconds = seconds(time) * 1000;
  const bool short_one = milliseconds < 999.5;
  const double number = short_one ? milliseconds : milliseconds / 1000;
  const int digits = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", number, digits, short_one ? "ms" : "s");
}

std::string human_rate(double events_per_second) {
  if (!(events_per_second >= 0 && events_per_second < 1e12)) return "0";
  if (events_per_second > 0 && events_per_second < 9.95) return fmt::format("{:.1f}", events_per_second);
  return human_count(std::llround(events_per_second));
}

}  // namespace drover::cli
