#include "replay/rivals/prefix_memory.h"

#include <algorithm>

namespace drover::replay {

std::size_t PrefixMemory::known(std::span<const std::uint64_t> prefix) const {
  const auto end = std::ranges::partition_point(prefix, [&](std::uint64_t block) { return blocks_.contains(block); });
  return static_cast<std::size_t>(end - prefix.begin());
}

double PrefixMemory::share(std::span<const std::uint64_t> prefix) const {
  return prefix.empty() ? 0 : static_cast<double>(known(prefix)) / static_cast<double>(prefix.size());
}

void PrefixMemory::remember(std::span<const std::uint64_t> prefix) {
  for (std::size_t i = prefix.size(); i-- > 0;) {
    const auto [found, is_new] = blocks_.try_emplace(prefix[i]);
    if (is_new) {
      found->second = order_.insert(order_.end(), prefix[i]);
    } else {
      order_.splice(order_.end(), order_, found->second);
    }
  }
  while (order_.size() > most_) {
    blocks_.erase(order_.front());
    order_.pop_front();
  }
}

}  // namespace drover::replay
