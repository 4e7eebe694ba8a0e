#pragma once
// What caches would have held that no fleet has: the yardsticks of reuse. Requests count in order of arrival, as if
// each were answered at once.

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_set>
#include <vector>

#include "engine/block_cache.h"
#include "engine/slot_cache.h"
#include "replay/fleet.h"
#include "replay/workload.h"

namespace drover::replay {

// All prompts and answers, for ever. Of two that part in the middle, up to 15 tokens of what they have in common may be
// missed: it remembers each 16th token and the ends. Cost: O(pieces) a prompt.
class InfiniteCache {
 public:
  // How many tokens of the prompt it knew: never all. Remembers the question.
  std::uint64_t read(const Question& question);

 private:
  std::unordered_set<std::uint64_t> known_;  // hashes over beginnings
  std::vector<std::uint64_t> chain_;         // scratch: of all beginnings of this prompt, piece by piece
  std::vector<std::size_t> marks_;           // and those that are remembered, by their pieces
};

// One cache as large as those of all the nodes together: of vLLM's blocks, or of whole sequences as llama.cpp keeps
// them, each of which stays until others need its room. Cost: O(sequences), or O(blocks of the prompt).
class PooledCache {
 public:
  PooledCache(const Fleet& fleet, const sim::ModelSettings& model);
  // As InfiniteCache::read().
  std::uint64_t read(const Question& question);

 private:
  std::uint64_t read_sequences(const Question& question);

  std::unique_ptr<engine::BlockCache> blocks_;  // null: llama.cpp's
  engine::PrefixReuse reuse_;
  std::size_t room_ = 0;                       // tokens
  std::list<engine::Remembered> sequences_{};  // least recently used first
};

}  // namespace drover::replay
