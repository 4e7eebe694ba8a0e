#include "gateway/body_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/pooled.h"

namespace drover::gateway {

void BodyBlock::Free::operator()(char* bytes) const {
  if (size > kMostKept) {
    ::munmap(bytes, size);
  } else {
    free_pooled(bytes, size);
  }
}

BodyBlock::BodyBlock(std::size_t size) {
  if (size <= kMostKept) {
    bytes_ = {static_cast<char*>(allocate_pooled(size)), Free{size}};
    return;
  }
  void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mapped != MAP_FAILED);
  bytes_ = {static_cast<char*>(mapped), Free{size}};
}

void BodyBlock::grow(std::size_t size) {
  CHECK(is_mapped() && size >= this->size());
  const std::size_t before = this->size();
  void* const mapped = ::mremap(bytes_.release(), before, size, MREMAP_MAYMOVE);
  CHECK(mapped != MAP_FAILED);
  bytes_ = {static_cast<char*>(mapped), Free{size}};
}

std::size_t BodyPool::size_for(std::size_t bytes) {
  return bytes > BodyBlock::kMostKept ? bytes : std::bit_ceil(std::max(bytes, kSmallest));
}

std::vector<BodyBlock>* BodyPool::free_of(std::size_t size) {
  if (size < kSmallestKept || size > BodyBlock::kMostKept) return nullptr;
  return &free_[static_cast<std::size_t>(std::countr_zero(size / kSmallestKept))];
}

BodyBlock BodyPool::take(std::size_t bytes) {
  const std::size_t size = size_for(bytes);
  std::vector<BodyBlock>* const free = free_of(size);
  if (free == nullptr || free->empty()) return BodyBlock(size);
  BodyBlock block = std::move(free->back());
  free->pop_back();
  room_ += size;
  return block;
}

void BodyPool::give_back(BodyBlock block) {
  std::vector<BodyBlock>* const free = free_of(block.size());
  if (free == nullptr || free->size() >= kKeptOfASize || block.size() > room_) return;
  room_ -= block.size();
  free->push_back(std::move(block));
}

void BodyMemory::reserve(std::size_t bytes) {
  if (bytes <= block_.size()) return;
  if (block_.is_mapped()) return block_.grow(BodyPool::size_for(bytes));
  BodyBlock larger = pool_.take(bytes);
  if (size_ > 0) std::memcpy(larger.bytes(), block_.bytes(), size_);
  std::swap(block_, larger);
  if (larger.size() > 0) pool_.give_back(std::move(larger));
}

void BodyMemory::drop() {
  if (block_.size() > 0) pool_.give_back(std::exchange(block_, {}));
  size_ = 0;
}

}  // namespace drover::gateway
