#include "talk/body_digest.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace drover::bench {
namespace {

constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio

std::uint64_t mix(std::uint64_t lane, std::uint64_t word) { return std::rotl(lane ^ word, 29) * kOdd; }

}  // namespace

void BodyDigest::feed(std::string_view piece) {
  if (piece.empty()) return;
  const std::size_t held = size_ % kBlock;
  size_ += piece.size();
  if (held > 0) {
    const std::size_t count = std::min(kBlock - held, piece.size());
    std::memcpy(rest_.data() + held, piece.data(), count);
    piece.remove_prefix(count);
    if (held + count < kBlock) return;
    take_block(rest_.data());
  }
  while (piece.size() >= kBlock) {
    take_block(piece.data());
    piece.remove_prefix(kBlock);
  }
  if (!piece.empty()) std::memcpy(rest_.data(), piece.data(), piece.size());
}

void BodyDigest::take_block(const char* block) {
  std::array<std::uint64_t, 4> words;
  std::memcpy(words.data(), block, kBlock);
  for (std::size_t i = 0; i < words.size(); ++i) lanes_[i] = mix(lanes_[i], words[i]);
}

std::uint64_t BodyDigest::value() const {
  std::uint64_t result = mix(size_, kOdd);
  for (const std::uint64_t lane : lanes_) result = mix(result, lane);
  for (std::size_t i = 0; i < size_ % kBlock; ++i) result = mix(result, static_cast<unsigned char>(rest_[i]));
  return result;
}

}  // namespace drover::bench
