#include "balance/cache_model.h"

#include <gtest/gtest.h>

namespace drover::balance {
namespace {

constexpr Mono at(int second) { return Mono{std::chrono::seconds(second)}; }

// New sequences of so many KiB each, a second apart. Returns the number of the first.
CacheModel::Number read(CacheModel& cache, int count, std::uint32_t kib) {
  const CacheModel::Number before = cache.last();
  for (int i = 0; i < count; ++i) cache.read(kib, 0, 0, at(static_cast<int>(cache.last())));
  return before + 1;
}
bool holds(const CacheModel& cache, CacheModel::Number number) {
  const auto place = cache.find(number);
  return place && cache.holds(*place);
}

TEST(CacheModel, the_last_ones_are_in_slots_however_large) {
  CacheModel cache(4);
  const auto first = read(cache, 4, 10'000);
  for (CacheModel::Number each = first; each < first + 4; ++each) EXPECT_TRUE(holds(cache, each)) << each;
  read(cache, 1, 1);
  EXPECT_FALSE(holds(cache, first)) << "it has left its slot, and is too large for what is beside";
  EXPECT_TRUE(holds(cache, first + 1));
}

TEST(CacheModel, what_leaves_its_slot_stays_as_long_as_there_is_room) {
  CacheModel cache(2);
  const std::uint32_t half = CacheModel::kFirstGuess / 2;
  const auto first = read(cache, 4, half);
  EXPECT_TRUE(holds(cache, first));
  read(cache, 1, 1);
  EXPECT_FALSE(holds(cache, first));
  EXPECT_TRUE(holds(cache, first + 1));
}

TEST(CacheModel, who_continues_most_of_a_sequence_takes_its_place) {
  CacheModel cache(2);
  const auto mine = read(cache, 1, 100);
  const auto other = read(cache, 1, 100);
  const auto longer = cache.read(120, mine, 96, at(9));
  EXPECT_EQ(cache.find(mine), std::nullopt) << "it is a part of the longer one now";
  EXPECT_EQ(cache.find(longer)->rank, 0U);
  EXPECT_EQ(cache.find(other)->rank, 1U);
  cache.read(50, longer, 4, at(10));
  EXPECT_EQ(cache.find(longer)->rank, 1U) << "they only begin alike";
}

TEST(CacheModel, knows_what_goes_next) {
  CacheModel cache(2);
  EXPECT_EQ(cache.next_to_go(1), nullptr);
  const auto first = read(cache, 4, CacheModel::kFirstGuess / 2);
  const CacheModel::Sequence* goes = cache.next_to_go(1);
  ASSERT_NE(goes, nullptr);
  EXPECT_EQ(goes->number, first) << "three do not fit beside the slots";
  EXPECT_EQ(goes->used, at(0));
  CacheModel roomy(8);
  read(roomy, 4, CacheModel::kFirstGuess / 2);
  EXPECT_EQ(roomy.next_to_go(1), nullptr) << "a slot was never used";
}

// A cache without slots of which some part holds, as one of blocks.
TEST(CacheModel, learns_that_nothing_is_there_for_sure) {
  CacheModel cache(8);
  const auto first = read(cache, 8, 100);
  for (int i = 0; i < 20; ++i) {
    for (CacheModel::Number each = first; each < first + 5; ++each) cache.learn(*cache.find(each), false);
    for (CacheModel::Number each = first + 5; each < first + 8; ++each) cache.learn(*cache.find(each), true);
  }
  for (CacheModel::Number each = first; each < first + 8; ++each)
    EXPECT_EQ(holds(cache, each), each >= first + 5) << each;
}

TEST(CacheModel, learns_that_there_is_more_room) {
  CacheModel cache(1);
  const auto first = read(cache, 11, CacheModel::kFirstGuess);
  EXPECT_FALSE(holds(cache, first));
  cache.learn(*cache.find(first), true);
  EXPECT_TRUE(holds(cache, first));
}

TEST(CacheModel, is_bounded) {
  CacheModel cache(1000);
  const auto first = read(cache, CacheModel::kMost + 1, 1);
  EXPECT_EQ(cache.find(first), std::nullopt);
  EXPECT_TRUE(holds(cache, first + 1));
}

}  // namespace
}  // namespace drover::balance
