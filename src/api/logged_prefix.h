#pragma once
// How a prompt begins, in a form that may be logged: of its chain of hashes (prompt_chain.h) every fourth, each under a
// key that nobody knows. Equal hashes at one place of two lines mean prompts that are equal up to there; nothing else
// can be told from them, and nothing at all from those of another key.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "api/prompt_chain.h"

namespace drover::api {

inline constexpr std::size_t kLoggedBlock = 1024;     // bytes of prompt a hash
inline constexpr std::size_t kMaxLoggedHashes = 256;  // so that a line is bounded; what is behind is not told apart

// SipHash-2-4 (J.-P. Aumasson, D. Bernstein: SipHash: a fast short-input PRF, 2012). Thread: any.
class LogKey {
 public:
  using Secret = std::array<unsigned char, 16>;
  explicit LogKey(const Secret& secret);
  std::uint64_t hash(std::string_view bytes) const;

 private:
  std::uint64_t first_, second_;
};

// How many hashes a line has for a prompt with so many links.
constexpr std::size_t logged_hashes(std::size_t links) {
  constexpr std::size_t kLinks = kLoggedBlock / kPromptBlock;
  return links / kLinks < kMaxLoggedHashes ? links / kLinks : kMaxLoggedHashes;
}
// Into `out`, which has room for logged_hashes(chain.size()). Cost: some 20 ns a hash.
void write_logged_prefix(std::span<const std::uint64_t> chain, const LogKey& key, std::span<std::uint64_t> out);

}  // namespace drover::api
