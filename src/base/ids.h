#pragma once
// Small numbers that name things. An id is never reused within one run of the process.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace drover {

template <typename Tag>
struct Id {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(Id, Id) = default;
};

using NodeId = Id<struct NodeTag>;        // a node of the fleet: its index in order of first appearance
using RequestId = Id<struct RequestTag>;  // a client's request, unique over all workers

}  // namespace drover

template <typename Tag>
struct std::hash<drover::Id<Tag>> {
  std::size_t operator()(drover::Id<Tag> id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
