#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace drover::balance {

enum class Priority : std::uint8_t { high, normal, low };
inline constexpr std::size_t kPriorities = 3;
// By class.
inline constexpr std::array<std::string_view, kPriorities> kPriorityNames = {"high", "normal", "low"};
constexpr std::string_view name(Priority priority) { return kPriorityNames[static_cast<std::size_t>(priority)]; }

}  // namespace drover::balance
