#pragma once
// The prompt cache of vLLM: memory in blocks of a fixed number of tokens, each named by all tokens up to its end,
// shared by all sequences that begin alike, forgotten least recently used first (automatic prefix caching: Kwon and
// others, PagedAttention, SOSP 2023, and vLLM's design documents). Unlike vLLM, which starts a sequence anew when
// memory runs out under it, a sequence is placed only when all that it may need is free.

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/prompt_cache.h"

namespace drover::engine {

struct BlockSettings {
  std::size_t blocks = 0;     // in all
  std::uint32_t tokens = 16;  // of a block
};

// Cost: O(blocks of the prompt) a call.
class BlockCache final : public PromptCache {
 public:
  // `slots`: sequences at a time.
  BlockCache(std::uint32_t slots, BlockSettings settings);

  // A prompt too large for all of the memory is placed when it is alone.
  std::optional<Placement> place(std::span<const Piece> prompt, std::uint32_t answer) override;
  void release(std::uint32_t slot, Sequence held, std::size_t prompt) override;
  std::size_t known(std::span<const Piece> prompt) const override;

  std::size_t blocks_in_use() const { return blocks_.size() + unnamed_; }  // remembered or reserved

 private:
  using Name = std::uint64_t;
  struct Block {
    std::uint32_t users = 0;
    std::list<Name>::iterator age{};  // in idle_, while nobody uses it
  };
  struct Slot {
    bool taken = false;
    std::vector<Name> names;  // the blocks it uses, of its prompt
    std::size_t unnamed = 0;  // blocks reserved for what has no name yet
  };

  void name_blocks(std::span<const Piece> sequence, std::size_t tokens) const;
  std::size_t count_known() const;
  std::size_t found_tokens(std::size_t blocks, std::size_t prompt) const;
  void use(Name name);
  void leave(Name name, bool remember);
  void forget_oldest();

  BlockSettings settings_;
  std::vector<Slot> slots_;
  std::unordered_map<Name, Block> blocks_;
  std::list<Name> idle_;  // least recently used first
  std::size_t unnamed_ = 0;
  mutable std::vector<Name> names_;  // scratch of name_blocks()
};

}  // namespace drover::engine
