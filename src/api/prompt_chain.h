#pragma once
// A prompt as a chain of hashes, so that two conversations that begin alike are seen to: equal hashes at one place mean
// equal prompts up to there, as far as 64 bits tell. Taken of the raw bytes between the quotes of JSON strings, escapes
// and all: a client sends its history the same way each time. Nothing of a prompt can be read back from them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace drover::api {

inline constexpr std::size_t kPromptBlock = 256;        // bytes of prompt a hash
inline constexpr std::size_t kMaxPromptHashes = 16384;  // 4 MiB of prompt; what is behind is not told apart

// Hashes in the order of the prompt. The first few need no allocation.
class PromptHashes {
 public:
  void push_back(std::uint64_t hash);
  std::span<const std::uint64_t> all() const;
  friend bool operator==(const PromptHashes& a, const PromptHashes& b);

 private:
  bool grow();

  std::array<std::uint64_t, 8> first_{};
  std::size_t count_ = 0;
  std::vector<std::uint64_t> many_;  // all of them and room for more, once they are more than fit `first_`
};

// Makes them as the bytes come. Each hash is that of a block and of the hash before it. A string's end counts as a
// byte, so that no two ways of cutting a prompt into messages look alike; a block may reach over it. An image is one
// hash, and begins a block anew. The last bytes that fill no block have none. Thread: one request's. Cost: about 0.1 ns
// a byte. Hash: XXH3 (Yann Collet), by libxxhash.
class PromptChain {
 public:
  // `salt`: those who must not learn what others ask have different ones.
  explicit PromptChain(std::uint64_t salt = 0) : chain_(salt) {}

  void text(std::string_view piece);
  void end_text();
  void image(std::string_view piece);
  void end_image();

  PromptHashes take() { return std::move(hashes_); }

  // The link behind `chain`: the hash of a block.
  static std::uint64_t follow(std::uint64_t chain, std::string_view block);

 private:
  void add(std::uint64_t hash);

  // Bytes that fill no block yet, and the chain of the blocks before them.
  struct Partial {
    std::array<char, kPromptBlock> bytes;
    std::size_t size = 0;
  };
  template <typename Whole>
  static void fill(Partial& partial, std::string_view piece, Whole whole);

  std::uint64_t chain_;
  std::uint64_t image_ = 0;  // the chain within the image at hand
  bool in_image_ = false;
  Partial partial_;  // of text, or of the image at hand
  PromptHashes hashes_;
};

}  // namespace drover::api
