#include "api/go_duration.h"

#include <cstdint>

#include "base/ascii.h"

namespace drover::api {
namespace {

constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;  // |Duration| may reach it only when negative

struct Unit {
  std::string_view name;
  std::uint64_t nanoseconds;
};
constexpr Unit kUnits[] = {
    {"ns", 1},         {"us", 1'000},        {"\xc2\xb5s", 1'000},  {"\xce\xbcs", 1'000},
    {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000},
};

std::optional<std::uint64_t> nanoseconds_of(std::string_view unit) {
  for (const Unit& known : kUnits) {
    if (known.name == unit) return known.nanoseconds;
  }
  return std::nullopt;
}

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && ascii::is_digit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

// Digits behind the point, as Go reads them: what no longer fits 63 bits is dropped.
struct Fraction {
  std::uint64_t value = 0;
  double scale = 1;
};
Fraction read_fraction(std::string_view digits) {
  Fraction fraction;
  for (const char c : digits) {
    const std::uint64_t next = fraction.value * 10 + static_cast<std::uint64_t>(c - '0');
    if (fraction.value > (kLimit - 1) / 10 || next > kLimit) break;
    fraction.value = next;
    fraction.scale *= 10;
  }
  return fraction;
}

// One number with its unit, taken from the front of `text`.
std::optional<std::uint64_t> take_term(std::string_view& text) {
  const std::string_view whole = take_digits(text);
  std::string_view fraction_digits;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction_digits = take_digits(text);
  }
  if (whole.empty() && fraction_digits.empty()) return std::nullopt;

  std::size_t length = 0;
  while (length < text.size() && text[length] != '.' && !ascii::is_digit(text[length])) ++length;
  const auto unit = nanoseconds_of(text.substr(0, length));
  if (!unit) return std::nullopt;
  text.remove_prefix(length);

  const auto count = whole.empty() ? 0 : ascii::to_number(whole);
  if (!count || *count > kLimit / *unit) return std::nullopt;
  const Fraction fraction = read_fraction(fraction_digits);
  const std::uint64_t value =
      *count * *unit +
      static_cast<std::uint64_t>(static_cast<double>(fraction.value) * (static_cast<double>(*unit) / fraction.scale));
  if (value > kLimit) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Duration> parse_go_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return Duration::zero();
  if (text.empty()) return std::nullopt;

  std::uint64_t total = 0;
  while (!text.empty()) {
    const auto term = take_term(text);
    if (!term || *term > kLimit - total) return std::nullopt;
    total += *term;
  }
  if (negative) return Duration{static_cast<std::int64_t>(~total + 1)};
  if (total == kLimit) return std::nullopt;
  return Duration{static_cast<std::int64_t>(total)};
}

}  // namespace drover::api
