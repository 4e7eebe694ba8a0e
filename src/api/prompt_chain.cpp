#include "api/prompt_chain.h"

#include <algorithm>
#include <cstring>

#include "api/xxh3.h"

namespace drover::api {

void PromptHashes::push_back(std::uint64_t hash) {
  if (count_ < first_.size()) {
    first_[count_++] = hash;
    return;
  }
  if (count_ >= many_.size() && !grow()) return;
  many_[count_++] = hash;
}

// False: there are as many as may be.
bool PromptHashes::grow() {
  if (count_ == kMaxPromptHashes) return false;
  if (many_.empty()) many_.assign(first_.begin(), first_.end());
  many_.resize(std::min(4 * many_.size(), kMaxPromptHashes));
  return true;
}

std::span<const std::uint64_t> PromptHashes::all() const {
  return {many_.empty() ? first_.data() : many_.data(), count_};
}

bool operator==(const PromptHashes& a, const PromptHashes& b) { return std::ranges::equal(a.all(), b.all()); }

// Each link waits for the one before it, so it must be short: a product folded in half, as in wyhash (Wang Yi).
std::uint64_t PromptChain::follow(std::uint64_t chain, std::string_view block) {
  __extension__ using Product = unsigned __int128;
  constexpr std::uint64_t kChainSecret = 0xa076'1d64'78bd'642f;
  constexpr std::uint64_t kBlockSecret = 0xe703'7ed1'a0b4'28db;
  const Product product = Product{chain ^ kChainSecret} * (xxh3(block) ^ kBlockSecret);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Calls `whole` with each block that is filled; what is left waits in `partial`.
template <typename Whole>
void PromptChain::fill(Partial& partial, std::string_view piece, Whole whole) {
  if (partial.size > 0) {
    const std::size_t count = std::min(piece.size(), kPromptBlock - partial.size);
    std::memcpy(partial.bytes.data() + partial.size, piece.data(), count);
    partial.size += count;
    piece.remove_prefix(count);
    if (partial.size < kPromptBlock) return;
    whole(std::string_view(partial.bytes.data(), kPromptBlock));
  }
  for (; piece.size() >= kPromptBlock; piece.remove_prefix(kPromptBlock)) whole(piece.substr(0, kPromptBlock));
  piece.copy(partial.bytes.data(), piece.size());
  partial.size = piece.size();
}

void PromptChain::add(std::uint64_t hash) {
  chain_ = hash;
  hashes_.push_back(hash);
}

void PromptChain::text(std::string_view piece) {
  fill(partial_, piece, [this](std::string_view block) { add(follow(chain_, block)); });
}

void PromptChain::end_text() {
  partial_.bytes[partial_.size++] = '\0';
  if (partial_.size < kPromptBlock) return;
  add(follow(chain_, std::string_view(partial_.bytes.data(), kPromptBlock)));
  partial_.size = 0;
}

void PromptChain::image(std::string_view piece) {
  if (piece.empty()) return;
  if (!in_image_) {
    in_image_ = true;
    // What text there was belongs before the image.
    image_ = follow(chain_, std::string_view(partial_.bytes.data(), partial_.size));
    partial_.size = 0;
  }
  fill(partial_, piece, [this](std::string_view block) { image_ = follow(image_, block); });
}

void PromptChain::end_image() {
  if (!in_image_) return;  // an empty one
  add(follow(image_, std::string_view(partial_.bytes.data(), partial_.size)));
  partial_.size = 0;
  in_image_ = false;
}

}  // namespace drover::api
