#pragma once
// Changes of a body on its way to a node: as splices, so that all other bytes stay those the client sent.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/understood.h"

namespace drover::api {

// A set of reload options, one bit each.
class ReloadSet {
 public:
  constexpr ReloadSet& add(ReloadOption option) { return bits_ |= bit(option), *this; }
  constexpr bool has(ReloadOption option) const { return (bits_ & bit(option)) != 0; }

 private:
  static constexpr std::uint32_t bit(ReloadOption option) { return 1U << static_cast<unsigned>(option); }
  std::uint32_t bits_ = 0;
};

// The pieces of `body` to leave out so that those options are gone and the rest is still JSON: a member goes with one
// of its commas. Ascending and disjoint. Removing differs from null: a node asks whether `num_ctx` is there at all.
std::vector<Span> removals(std::string_view body, const Understood& understood, ReloadSet options);

// The body without these pieces.
std::string without(std::string_view body, const std::vector<Span>& pieces);

}  // namespace drover::api
