#pragma once
// Quantities that must not be mixed up. Time is std::chrono; these are the others.

#include <compare>
#include <cstddef>
#include <cstdint>

namespace drover {

// A count of one kind of thing. Adding bytes to tokens does not compile.
template <typename Tag>
struct Quantity {
  std::uint64_t value = 0;

  constexpr Quantity() = default;
  constexpr explicit Quantity(std::uint64_t count) : value(count) {}

  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity{a.value + b.value}; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity{a.value - b.value}; }
  constexpr Quantity& operator+=(Quantity other) { return value += other.value, *this; }
  constexpr Quantity& operator-=(Quantity other) { return value -= other.value, *this; }
};

using Bytes = Quantity<struct BytesTag>;
using Tokens = Quantity<struct TokensTag>;

constexpr Bytes operator""_KiB(unsigned long long count) { return Bytes{count << 10}; }
constexpr Bytes operator""_MiB(unsigned long long count) { return Bytes{count << 20}; }
constexpr Bytes operator""_GiB(unsigned long long count) { return Bytes{count << 30}; }

}  // namespace drover
