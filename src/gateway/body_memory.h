#pragma once
// Where bodies lie while their requests live. Blocks are used again while they are warm: a page that was just used
// costs nothing, a new one costs a fault and its clearing, which for a large body is more than reading it.

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace drover::gateway {

// Bytes without a value, all of one owner; none when default-made. Above kMostKept they are mapped: they grow without a
// copy and go back to the system when they are freed, which malloc would put off for ever.
class BodyBlock {
 public:
  static constexpr std::size_t kMostKept = 1 << 20;

  BodyBlock() = default;
  explicit BodyBlock(std::size_t size);

  char* bytes() const { return bytes_.get(); }
  std::size_t size() const { return bytes_.get_deleter().size; }
  bool is_mapped() const { return size() > kMostKept; }
  // Of a mapped one. Views into it die.
  void grow(std::size_t size);

 private:
  struct Free {
    std::size_t size;
    void operator()(char* bytes) const;
  };
  std::unique_ptr<char, Free> bytes_{nullptr, Free{0}};
};

// Blocks of one worker. Sizes are powers of two from 1 KiB to 1 MiB. Free ones are kept from 8 KiB up: smaller ones are
// quick to take from base/pooled.h, which gives back what a burst took. Thread: the worker's.
class BodyPool {
 public:
  // `kept`: of free blocks, in all.
  explicit BodyPool(Bytes kept) : room_(kept.value) {}

  // The size of the block that holds so many bytes.
  static std::size_t size_for(std::size_t bytes);
  BodyBlock take(std::size_t bytes);
  void give_back(BodyBlock block);

 private:
  static constexpr std::size_t kSmallest = 1 << 10;
  static constexpr std::size_t kSmallestKept = 8 << 10;
  static constexpr std::size_t kSizes = 8;
  static constexpr std::size_t kKeptOfASize = 64;  // a burst's surplus goes back to malloc

  // Where free blocks of such a size lie; null: they are not kept.
  std::vector<BodyBlock>* free_of(std::size_t size);

  std::array<std::vector<BodyBlock>, kSizes> free_;
  std::size_t room_;  // for further free blocks
};

// One body: a block that grows. The pool must outlive it.
class BodyMemory {
 public:
  explicit BodyMemory(BodyPool& pool) : pool_(pool) {}
  BodyMemory(const BodyMemory&) = delete;
  BodyMemory& operator=(const BodyMemory&) = delete;
  ~BodyMemory() { drop(); }

  std::string_view view() const { return {block_.bytes(), size_}; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return block_.size(); }

  // What is behind the body in its block; and that so many bytes of it belong to the body now.
  std::span<char> free() { return {block_.bytes() + size_, block_.size() - size_}; }
  void grew(std::size_t bytes) { size_ += bytes; }
  // Room for so many bytes in all. Views into it die.
  void reserve(std::size_t bytes);
  void drop();

 private:
  BodyPool& pool_;
  BodyBlock block_;
  std::size_t size_ = 0;
};

}  // namespace drover::gateway
