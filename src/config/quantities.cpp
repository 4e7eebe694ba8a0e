#include "config/quantities.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "base/ascii.h"

namespace drover::config {
namespace {

struct TimeUnit {
  std::string_view name;
  std::int64_t ns;
};
constexpr std::array<TimeUnit, 7> kTimeUnits = {{{"d", 86'400'000'000'000},
                                                 {"h", 3'600'000'000'000},
                                                 {"m", 60'000'000'000},
                                                 {"s", 1'000'000'000},
                                                 {"ms", 1'000'000},
                                                 {"us", 1'000},
                                                 {"ns", 1}}};
constexpr std::int64_t kLongest = 200LL * 365 * 86'400 * 1'000'000'000;

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<SizeUnit, 9> kSizeUnits = {{{"TiB", 1ULL << 40},
                                                 {"GiB", 1ULL << 30},
                                                 {"MiB", 1ULL << 20},
                                                 {"KiB", 1ULL << 10},
                                                 {"B", 1},
                                                 {"TB", 1'000'000'000'000},
                                                 {"GB", 1'000'000'000},
                                                 {"MB", 1'000'000},
                                                 {"KB", 1'000}}};
constexpr std::size_t kUnitsOfTwo = 5;

std::string_view take_while(std::string_view& text, bool (*wanted)(char)) {
  std::size_t length = 0;
  while (length < text.size() && wanted(text[length])) ++length;
  const auto taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  std::size_t next = 0;  // units before this one must not come any more
  while (!text.empty()) {
    const auto number = ascii::to_number(take_while(text, ascii::is_digit));
    const auto unit = take_while(text, ascii::is_alpha);
    while (next < kTimeUnits.size() && kTimeUnits[next].name != unit) ++next;
    if (!number || next == kTimeUnits.size()) return std::nullopt;
    const std::int64_t ns = kTimeUnits[next++].ns;
    if (*number > static_cast<std::uint64_t>((kLongest - total) / ns)) return std::nullopt;
    total += static_cast<std::int64_t>(*number) * ns;
  }
  return Duration(total);
}

std::string duration_text(Duration duration) {
  std::int64_t rest = duration.count();
  std::string text;
  for (const TimeUnit& unit : kTimeUnits) {
    if (rest >= unit.ns) fmt::format_to(std::back_inserter(text), "{}{}", rest / unit.ns, unit.name);
    rest %= unit.ns;
  }
  return text.empty() ? "0s" : text;
}

std::optional<Bytes> parse_size(std::string_view text) {
  const auto number = ascii::to_number(take_while(text, ascii::is_digit));
  if (!number) return std::nullopt;
  for (const SizeUnit& unit : kSizeUnits) {
    if (unit.name != text) continue;
    if (*number > (1ULL << 63) / unit.bytes) return std::nullopt;
    return Bytes{*number * unit.bytes};
  }
  return std::nullopt;
}

std::string size_text(Bytes size) {
  for (std::size_t i = 0; i + 1 < kUnitsOfTwo; ++i) {
    const SizeUnit& unit = kSizeUnits[i];
    if (size.value >= unit.bytes && size.value % unit.bytes == 0) {
      return fmt::format("{}{}", size.value / unit.bytes, unit.name);
    }
  }
  return fmt::format("{}B", size.value);
}

}  // namespace drover::config
