#pragma once
// A piece of a body by its place in the whole, not by pointer: bodies arrive in pieces and move between buffers.

#include <cstdint>
#include <string_view>

namespace drover::api {

struct Span {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  constexpr std::uint64_t end() const { return offset + length; }
  constexpr std::string_view of(std::string_view body) const { return body.substr(offset, length); }
  friend constexpr bool operator==(const Span&, const Span&) = default;
};

}  // namespace drover::api
