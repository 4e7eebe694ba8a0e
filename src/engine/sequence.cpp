#include "engine/sequence.h"

#include <algorithm>

namespace drover::engine {

std::size_t token_count(std::span<const Piece> sequence) {
  std::size_t count = 0;
  for (const Piece& piece : sequence) count += piece.tokens;
  return count;
}

std::size_t common_tokens(std::span<const Piece> a, std::span<const Piece> b) {
  const auto end = std::ranges::mismatch(a, b).in1;
  return token_count({a.begin(), end});
}

}  // namespace drover::engine
