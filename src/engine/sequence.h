#pragma once
// Prompts and answers as caches see them: equal pieces stand for equal tokens, whatever those are.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace drover::engine {

using TokenHash = std::uint64_t;

// One token, or (in traces, which tell no more) a run of tokens that two prompts share whole or not at all.
struct Piece {
  TokenHash hash;
  std::uint32_t tokens;

  Piece(TokenHash each, std::uint32_t count = 1) : hash(each), tokens(count) {}
  friend bool operator==(const Piece&, const Piece&) = default;
};

using Sequence = std::vector<Piece>;

// Cost of both: O(pieces).
std::size_t token_count(std::span<const Piece> sequence);
std::size_t common_tokens(std::span<const Piece> a, std::span<const Piece> b);  // of their common beginning

}  // namespace drover::engine
