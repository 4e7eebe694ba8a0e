#include "gateway/body_memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace drover::gateway {

std::size_t BodyPool::size_for(std::size_t bytes) {
  return bytes > kLargest ? bytes : std::bit_ceil(std::max(bytes, kSmallest));
}

BodyPool::Block BodyPool::take(std::size_t bytes) {
  const std::size_t size = size_for(bytes);
  if (size <= kLargest) {
    auto& free = free_[static_cast<std::size_t>(std::countr_zero(size / kSmallest))];
    if (!free.empty()) {
      Block block{std::move(free.back()), size};
      free.pop_back();
      room_ += size;
      return block;
    }
  }
  return {std::make_unique_for_overwrite<char[]>(size), size};
}

void BodyPool::give_back(Block block) {
  if (block.size > kLargest || block.size > room_) return;
  auto& free = free_[static_cast<std::size_t>(std::countr_zero(block.size / kSmallest))];
  if (free.size() >= kKeptOfASize) return;
  room_ -= block.size;
  free.push_back(std::move(block.bytes));
}

void BodyMemory::reserve(std::size_t bytes) {
  if (bytes <= block_.size) return;
  BodyPool::Block larger = pool_.take(bytes);
  if (size_ > 0) std::memcpy(larger.bytes.get(), block_.bytes.get(), size_);
  std::swap(block_, larger);
  if (larger.bytes != nullptr) pool_.give_back(std::move(larger));
}

void BodyMemory::drop() {
  if (block_.bytes != nullptr) pool_.give_back(std::exchange(block_, {}));
  size_ = 0;
}

}  // namespace drover::gateway
