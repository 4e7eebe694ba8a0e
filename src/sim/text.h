#pragma once
// Words without a meaning that any client can check: a node's answer follows from the seed, the weights and the prompt,
// whichever node gives it, and each token of it can be had by its number.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sequence.h"

namespace drover::sim {

std::uint64_t hash_text(std::string_view text, std::uint64_t seed = 0);
// 64 hex digits, as a sha256 looks; equal texts give equal digests.
std::string hex_digest(std::string_view text);

// One token a short word with the blank before it and the mark behind it, longer words in pieces of six letters: about
// four characters a token in English. The pieces are views into `text`, all of it, in order.
std::vector<std::string_view> tokenise(std::string_view text);
engine::Sequence token_hashes(std::string_view text);
inline engine::TokenHash token_hash(std::string_view token) { return hash_text(token); }
// As a model would number it, for fields that show numbers.
std::int64_t token_number(engine::TokenHash hash);

// An endless text. Cost: O(1) a token, in any order.
class Babble {
 public:
  explicit Babble(std::uint64_t seed) : seed_(seed) {}
  // With the blank before it, but for the first. Every token is one for tokenise() too.
  std::string token(std::uint64_t index) const;
  std::string text(std::uint64_t tokens) const;

 private:
  std::uint64_t seed_;
};

// Of length 1, determined by seed, weights and text.
std::vector<float> embedding(std::uint64_t seed, std::string_view weights, std::string_view text, std::uint32_t size);

}  // namespace drover::sim
