#include "balance/prefix_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace drover::balance {
namespace {

using Chain = std::vector<std::uint64_t>;

// A prompt of so many KiB. Those of one `text` begin alike.
Chain prompt(std::uint64_t text, std::size_t size) {
  Chain chain(size * PrefixIndex::kStride);
  for (std::size_t i = 0; i < chain.size(); ++i) chain[i] = Random(text * 1'000'000 + i).next();
  return chain;
}
constexpr Mono kNow{std::chrono::hours(10)};
constexpr double bytes(double size) { return size * PrefixIndex::kStrideBytes; }

struct Index {
  double found(CacheId cache, const Chain& chain, std::uint64_t salt = 0) {
    index.look_up(chain, salt);
    return index.found(cache).bytes;
  }
  PrefixIndex index{4096};
  CacheId a = index.new_cache(2);
  CacheId b = index.new_cache(2);
};

TEST(PrefixIndex, knows_who_has_read_how_much_of_a_prompt) {
  Index index;
  index.index.note(index.a, prompt(1, 5), 0, kNow);
  index.index.note(index.b, prompt(1, 2), 0, kNow);
  EXPECT_EQ(index.found(index.a, prompt(1, 9)), bytes(5));
  EXPECT_EQ(index.found(index.b, prompt(1, 9)), bytes(2));
  EXPECT_EQ(index.found(index.b, prompt(1, 1)), bytes(1));
  EXPECT_EQ(index.found(index.a, prompt(2, 9)), 0);
  EXPECT_EQ(index.found(kNoCache, prompt(1, 9)), 0);
}

// Up to so many KiB as one text, then as another.
Chain parted(std::size_t where, std::size_t size) {
  Chain chain = prompt(1, size);
  const Chain other = prompt(2, size);
  std::copy(other.begin() + static_cast<std::ptrdiff_t>(where * PrefixIndex::kStride), other.end(),
            chain.begin() + static_cast<std::ptrdiff_t>(where * PrefixIndex::kStride));
  return chain;
}

TEST(PrefixIndex, knows_less_exactly_where_prompts_part_that_are_alike_for_long) {
  Index index;
  index.index.note(index.a, prompt(1, 30), 0, kNow);
  EXPECT_EQ(index.found(index.a, parted(7, 30)), bytes(7));
  EXPECT_EQ(index.found(index.a, parted(8, 30)), bytes(8));
  EXPECT_EQ(index.found(index.a, parted(15, 30)), bytes(12));
  EXPECT_EQ(index.found(index.a, parted(16, 30)), bytes(16));
}

TEST(PrefixIndex, knows_where_a_prompt_ended_that_another_goes_on_from) {
  Index index;
  for (const std::size_t end : {13U, 14U}) index.index.note(index.a, prompt(1, end), 0, kNow);
  index.index.note(index.b, prompt(1, 15), 0, kNow);
  EXPECT_EQ(index.found(index.a, prompt(1, 30)), bytes(14));
  EXPECT_EQ(index.found(index.b, prompt(1, 30)), bytes(15));
  EXPECT_EQ(index.found(index.b, prompt(1, 15)), bytes(15)) << "the same once more";
  EXPECT_EQ(index.found(index.b, parted(15, 30)), bytes(15));
  EXPECT_EQ(index.found(index.a, parted(13, 30)), bytes(12)) << "that turn is a part of the one behind it";
}

TEST(PrefixIndex, has_few_entries_for_a_long_prompt) {
  PrefixIndex index(64);
  const CacheId cache = index.new_cache(2);
  index.note(cache, prompt(1, 64), 0, kNow);
  for (std::uint64_t text = 2; text <= 3; ++text) index.note(cache, prompt(text, 1), 0, kNow);
  index.look_up(prompt(1, 64), 0);
  EXPECT_EQ(index.found(cache).bytes, bytes(64));
}

TEST(PrefixIndex, keeps_apart_what_has_another_salt) {
  Index index;
  index.index.note(index.a, prompt(1, 5), 7, kNow);
  EXPECT_EQ(index.found(index.a, prompt(1, 5), 7), bytes(5));
  EXPECT_EQ(index.found(index.a, prompt(1, 5), 8), 0);
}

TEST(PrefixIndex, finds_nothing_where_the_cache_has_forgotten_it) {
  Index index;
  index.index.note(index.a, prompt(1, 5), 0, kNow);
  index.index.note(index.a, prompt(2, 1), 0, kNow);
  index.index.note(index.a, prompt(3, CacheModel::kFirstGuess), 0, kNow);
  EXPECT_EQ(index.found(index.a, prompt(1, 5)), bytes(5)) << "it is not among the last two, and there is room beside";
  for (std::uint64_t text = 4; text <= 5; ++text) index.index.note(index.a, prompt(text, 1), 0, kNow);
  EXPECT_EQ(index.found(index.a, prompt(1, 5)), 0);
  index.index.note(index.a, prompt(1, 5), 0, kNow);
  EXPECT_EQ(index.found(index.a, prompt(1, 5)), bytes(5)) << "read again";
}

TEST(PrefixIndex, a_conversation_takes_its_own_place_and_what_only_begins_alike_does_not) {
  Index index;
  for (std::size_t size = 10; size <= 40; size += 10) index.index.note(index.a, prompt(1, size), 0, kNow);
  for (std::uint64_t text = 2; text <= 3; ++text) index.index.note(index.a, prompt(text, 1), 0, kNow);
  index.index.look_up(prompt(1, 40), 0);
  EXPECT_EQ(index.index.found(index.a).place->kib, 40U) << "of all its turns the last one is kept";
  index.index.note(index.a, parted(4, 40), 0, kNow);
  index.index.look_up(prompt(1, 40), 0);
  EXPECT_EQ(index.index.found(index.a).place->rank, 3U) << "it is there as before";
}

TEST(PrefixIndex, learns_from_answers_what_a_cache_holds) {
  Index index;
  const auto answered = [&](double share) {
    index.index.look_up(prompt(1, 8), 0);
    index.index.learn(index.a, index.index.found(index.a), bytes(8) * share);
  };
  for (std::uint64_t text = 1; text <= 10; ++text) index.index.note(index.a, prompt(text, 8), 0, kNow);
  EXPECT_EQ(index.found(index.a, prompt(1, 8)), bytes(8));
  for (int i = 0; i < 20; ++i) answered(0);
  EXPECT_EQ(index.found(index.a, prompt(1, 8)), 0);
  EXPECT_EQ(index.found(index.a, prompt(10, 8)), bytes(8)) << "the last one is there all the same";
  answered(0.9);
  EXPECT_EQ(index.found(index.a, prompt(1, 8)), bytes(8)) << "found although it had been given up";
}

TEST(PrefixIndex, takes_what_many_have_read_to_be_everywhere) {
  Index index;
  for (std::size_t i = 0; i <= PrefixIndex::kHolders; ++i)
    index.index.note(index.index.new_cache(2), prompt(1, 3), 0, kNow);
  index.index.note(index.b, prompt(2, 1), 0, kNow);
  EXPECT_EQ(index.found(index.b, prompt(1, 3)), bytes(3));
  EXPECT_EQ(index.found(index.a, prompt(1, 3)), 0) << "it has read nothing at all";
}

TEST(PrefixIndex, knows_when_the_prompt_came_that_another_goes_on_from) {
  Index index;
  const auto continues = [&](const Chain& chain) {
    index.index.look_up(chain, 0);
    return index.index.continues();
  };
  const auto at = [](int s) { return kNow + std::chrono::seconds(s); };
  index.index.note(index.a, prompt(1, 13), 0, at(0));
  EXPECT_EQ(continues(prompt(1, 30)), at(0));
  EXPECT_EQ(continues(prompt(1, 12)), std::nullopt) << "it is read, and no prompt ended there";
  EXPECT_EQ(continues(parted(12, 30)), std::nullopt);
  index.index.note(index.b, prompt(1, 20), 0, at(3));
  EXPECT_EQ(continues(prompt(1, 30)), at(3)) << "the longer one";
  EXPECT_EQ(continues(parted(13, 30)), at(0));
}

TEST(PrefixIndex, is_bounded) {
  PrefixIndex index(64);
  const CacheId cache = index.new_cache(2);
  for (std::uint64_t text = 1; text <= 1000; ++text) index.note(cache, prompt(text, 1), 0, kNow);
  std::size_t known = 0;
  for (std::uint64_t text = 1; text <= 1000; ++text) {
    index.look_up(prompt(text, 1), 0);
    known += index.found(cache).read > 0 ? 1 : 0;
  }
  EXPECT_LE(known, 64U);
  index.look_up(prompt(1000, 1), 0);
  EXPECT_EQ(index.found(cache).bytes, bytes(1)) << "the newest";
}

}  // namespace
}  // namespace drover::balance
