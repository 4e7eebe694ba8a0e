#pragma once
// What a router believes that a node has cached: the blocks of the prompts it has sent there, least recently used
// forgotten first.

#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>

namespace drover::replay {

// Blocks are chained hashes, so who is known has all before it known, too: ends are forgotten before beginnings.
class PrefixMemory {
 public:
  explicit PrefixMemory(std::size_t most) : most_(most) {}

  // How many blocks, from the beginning, are known. Cost: O(log blocks).
  std::size_t known(std::span<const std::uint64_t> prefix) const;
  double share(std::span<const std::uint64_t> prefix) const;  // of all of them; 0 of none
  // Cost: O(blocks).
  void remember(std::span<const std::uint64_t> prefix);

 private:
  std::size_t most_;
  std::list<std::uint64_t> order_;  // the oldest first
  std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> blocks_;
};

// One of each model on each node.
class PrefixMemories {
 public:
  // `most`: blocks of each.
  explicit PrefixMemories(std::size_t most) : most_(most) {}

  PrefixMemory& of(std::size_t model, std::size_t node) {
    return memories_.try_emplace({model, node}, most_).first->second;
  }

 private:
  std::size_t most_;
  std::map<std::pair<std::size_t, std::size_t>, PrefixMemory> memories_;
};

}  // namespace drover::replay
