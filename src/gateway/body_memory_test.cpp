// A body keeps its bytes while its block grows, from kept ones to mapped ones.
#include "gateway/body_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace drover::gateway {
namespace {

void append(BodyMemory& memory, std::string_view bytes) {
  memory.reserve(memory.size() + bytes.size());
  std::ranges::copy(bytes, memory.free().begin());
  memory.grew(bytes.size());
}

TEST(BodyMemory, keeps_its_bytes_as_it_grows) {
  BodyPool pool(4_MiB);
  for (int again = 0; again < 2; ++again) {
    BodyMemory memory(pool);
    std::string expected;
    for (std::size_t size = 1; size <= (5U << 20); size *= 3) {
      const std::string piece(size, static_cast<char>('a' + size % 26));
      append(memory, piece);
      expected += piece;
      ASSERT_EQ(memory.view(), expected) << size;
      ASSERT_GE(memory.capacity(), expected.size());
    }
    memory.drop();
    EXPECT_EQ(memory.size(), 0U);
    append(memory, "once more");
    EXPECT_EQ(memory.view(), "once more");
  }
}

TEST(BodyMemory, has_room_for_just_what_fits_a_kept_block_and_one_byte_more) {
  BodyPool pool(4_MiB);
  for (const std::size_t size : {BodyBlock::kMostKept - 1, BodyBlock::kMostKept, BodyBlock::kMostKept + 1}) {
    BodyMemory memory(pool);
    memory.reserve(size);
    EXPECT_EQ(memory.free().size(), BodyPool::size_for(size));
    std::ranges::fill(memory.free(), 'x');
  }
}

}  // namespace
}  // namespace drover::gateway
