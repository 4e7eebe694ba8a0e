#pragma once
// What an engine remembers of earlier prompts besides its slots: conversations moved to the host's memory when another
// took their slot, oldest use forgotten first.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/model_spec.h"

namespace drover::engine {

using TokenHash = std::uint64_t;  // equal for equal tokens

// How many tokens of `prompt` need not be read by who holds `known`. At most all but the last: a prompt is never
// answered without reading anything.
std::size_t reusable(std::span<const TokenHash> known, std::span<const TokenHash> prompt, PrefixReuse reuse);

// Cost: O(conversations + tokens in common) a look-up. Memory: bounded by the limit.
class HostCache {
 public:
  // `limit`: tokens of all conversations together; 0 remembers nothing.
  explicit HostCache(std::size_t limit) : limit_(limit) {}

  // Keeps a conversation, in place of any that it continues.
  void remember(std::vector<TokenHash> conversation);
  // Gives away the conversation that helps `prompt` most, if it helps more than `least` tokens; else it is empty.
  std::vector<TokenHash> take(std::span<const TokenHash> prompt, PrefixReuse reuse, std::size_t least);
  std::size_t tokens() const { return tokens_; }

 private:
  void forget(std::size_t index);

  std::size_t limit_;
  std::size_t tokens_ = 0;
  std::vector<std::vector<TokenHash>> conversations_;  // oldest first
};

}  // namespace drover::engine
