#include "replay/prompt_blocks.h"

#include <algorithm>
#include <cmath>

#include "balance/events.h"
#include "base/random.h"

namespace drover::replay {
namespace {

// The finaliser of SplitMix64 over the hash so far and what comes behind it.
std::uint64_t chain(std::uint64_t hash, std::uint64_t next) { return Random(hash * 0xd1342543de82ef95 + next).next(); }

}  // namespace

std::uint64_t text_bytes(std::uint64_t tokens, double bytes_per_token) {
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(tokens) * bytes_per_token));
}

void chain_blocks(const engine::Sequence& prompt, double bytes_per_token, std::vector<std::uint64_t>& blocks) {
  blocks.clear();
  // A block ends with the token that holds its last byte.
  const auto end_of = [&](std::size_t block) {
    return static_cast<std::uint64_t>(
        std::ceil(static_cast<double>((block + 1) * balance::kPrefixBlock) / bytes_per_token));
  };
  std::uint64_t hash = 0;
  std::uint64_t read = 0;
  std::uint64_t end = end_of(0);
  for (const engine::Piece& piece : prompt) {
    for (std::uint64_t from = 0; from < piece.tokens;) {
      const std::uint64_t taken = std::min<std::uint64_t>(piece.tokens - from, end - read);
      hash = chain(chain(chain(hash, piece.hash), piece.tokens), from);
      from += taken;
      read += taken;
      if (read < end) continue;
      blocks.push_back(hash);
      end = end_of(blocks.size());
    }
  }
}

}  // namespace drover::replay
