#include "fleet/capabilities.h"

#include <array>

namespace drover::fleet {
namespace {

constexpr std::array<std::string_view, kCapabilityCount> kWords = {"completion", "tools",    "insert", "vision",
                                                                   "embedding",  "thinking", "image",  "audio"};

}  // namespace

std::string_view name(Capability capability) { return kWords[static_cast<std::size_t>(capability)]; }

void Capabilities::add(std::string_view word) {
  known_ = true;
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (kWords[i] == word) bits_ = static_cast<std::uint16_t>(bits_ | 1U << i);
  }
}

}  // namespace drover::fleet
