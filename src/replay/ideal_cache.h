#pragma once
// What caches would have held that no fleet has: the yardsticks of reuse. Requests count in order of arrival, as if
// each were answered at once.

#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "engine/prompt_cache.h"
#include "replay/fleet.h"
#include "replay/workload.h"

namespace drover::replay {

// All prompts and answers, for ever. Cost: O(pieces) a prompt.
class InfiniteCache {
 public:
  // How many tokens of the prompt it knew: never all. Remembers the question.
  std::uint64_t read(const Question& question);

 private:
  std::unordered_set<std::uint64_t> known_;  // hashes over all beginnings, piece by piece
  std::vector<std::uint64_t> chain_;         // scratch
};

// One cache as large as those of all the nodes together, with the rules of their engine.
class PooledCache {
 public:
  PooledCache(const Fleet& fleet, const sim::ModelSettings& model);
  std::uint64_t read(const Question& question);

 private:
  std::unique_ptr<engine::PromptCache> cache_;
};

}  // namespace drover::replay
