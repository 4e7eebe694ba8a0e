#include "engine/block_cache.h"

#include <gtest/gtest.h>

namespace drover::engine {
namespace {

// A sequence of one piece, of which all tokens differ from those of another name.
Sequence piece(TokenHash name, std::uint32_t tokens) { return {{name, tokens}}; }

Sequence joined(Sequence a, const Sequence& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Places a prompt and gives it back at once, read. What of it was cached.
std::uint32_t visit(BlockCache& cache, const Sequence& prompt) {
  const std::size_t known = cache.known(prompt);
  const auto place = cache.place(prompt, 0);
  EXPECT_TRUE(place);
  if (!place) return 0;
  EXPECT_EQ(place->cached, known);
  cache.release(place->slot, prompt, token_count(prompt));
  return place->cached;
}

TEST(BlockCache, finds_whole_blocks_of_a_common_beginning_and_always_leaves_one_token) {
  BlockCache cache(4, {.blocks = 100, .tokens = 4});
  const Sequence system = piece(1, 10);
  EXPECT_EQ(visit(cache, joined(system, piece(2, 10))), 0U);
  EXPECT_EQ(visit(cache, joined(system, piece(3, 10))), 8U) << "two whole blocks of ten tokens";
  EXPECT_EQ(visit(cache, joined(system, piece(2, 10))), 16U) << "four of the five: the last token is read again";
  EXPECT_EQ(visit(cache, joined(joined(system, piece(2, 10)), piece(4, 3))), 20U);
}

TEST(BlockCache, names_a_block_by_all_that_lies_before_it) {
  BlockCache cache(4, {.blocks = 100, .tokens = 4});
  visit(cache, joined(piece(1, 4), piece(2, 4)));
  EXPECT_EQ(visit(cache, joined(piece(3, 4), piece(2, 4))), 0U);
}

TEST(BlockCache, finds_an_answer_again_in_the_prompt_that_contains_it) {
  BlockCache cache(1, {.blocks = 100, .tokens = 4});
  const Sequence prompt = piece(1, 8);
  const Sequence held = joined(prompt, piece(2, 8));
  cache.release(cache.place(prompt, 8)->slot, held, 8);
  EXPECT_EQ(visit(cache, joined(held, piece(3, 4))), 16U);
}

TEST(BlockCache, sequences_that_run_share_their_beginning) {
  BlockCache cache(2, {.blocks = 100, .tokens = 4});
  const auto first = cache.place(piece(1, 16), 0);
  EXPECT_EQ(cache.blocks_in_use(), 4U);
  const auto second = cache.place(joined(piece(1, 16), piece(2, 4)), 0);
  EXPECT_EQ(second->cached, 16U);
  EXPECT_EQ(cache.blocks_in_use(), 5U);
  EXPECT_FALSE(cache.place(piece(3, 4), 0)) << "no slot is free";
  cache.release(first->slot, piece(1, 16), 16);
  EXPECT_EQ(cache.blocks_in_use(), 5U);
}

TEST(BlockCache, forgets_least_recently_used_first_and_ends_before_beginnings) {
  BlockCache cache(1, {.blocks = 6, .tokens = 4});
  visit(cache, piece(1, 12));
  visit(cache, piece(2, 12));
  visit(cache, piece(3, 4));
  EXPECT_EQ(cache.blocks_in_use(), 6U);
  EXPECT_EQ(visit(cache, joined(piece(1, 12), piece(9, 1))), 8U) << "the last block of the oldest had to go";
}

TEST(BlockCache, a_sequence_waits_until_all_that_it_may_need_is_free) {
  BlockCache cache(4, {.blocks = 10, .tokens = 4});
  const auto first = cache.place(piece(1, 20), 12);
  EXPECT_EQ(cache.blocks_in_use(), 8U) << "five of the prompt, three for the answer";
  EXPECT_FALSE(cache.place(piece(2, 8), 4));
  EXPECT_TRUE(cache.place(piece(2, 8), 0));
  cache.release(first->slot, piece(1, 20), 20);
  EXPECT_TRUE(cache.place(piece(3, 8), 4));
}

TEST(BlockCache, what_was_never_computed_is_not_remembered) {
  BlockCache cache(1, {.blocks = 10, .tokens = 4});
  cache.release(cache.place(piece(1, 16), 0)->slot, {}, 0);
  EXPECT_EQ(cache.blocks_in_use(), 0U);
  EXPECT_EQ(visit(cache, piece(1, 16)), 0U);
}

TEST(BlockCache, a_prompt_larger_than_all_of_it_runs_alone) {
  BlockCache cache(2, {.blocks = 4, .tokens = 4});
  const auto large = cache.place(piece(1, 100), 10);
  ASSERT_TRUE(large);
  EXPECT_FALSE(cache.place(piece(2, 4), 0));
  cache.release(large->slot, piece(1, 100), 100);
  EXPECT_LE(cache.blocks_in_use(), 4U);
  EXPECT_TRUE(cache.place(piece(2, 4), 0));
}

}  // namespace
}  // namespace drover::engine
