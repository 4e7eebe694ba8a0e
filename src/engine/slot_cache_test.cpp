#include "engine/slot_cache.h"

#include <gtest/gtest.h>

#include <string_view>

namespace drover::engine {
namespace {

// A sequence a letter a token.
Sequence letters(std::string_view text) {
  Sequence sequence;
  for (const char letter : text) sequence.emplace_back(static_cast<TokenHash>(letter));
  return sequence;
}

Remembered remembered(std::string_view text, std::size_t checkpoint = 0) {
  return {.sequence = letters(text), .tokens = text.size(), .checkpoint = checkpoint};
}

struct ReuseCase {
  std::string_view name, known;
  std::size_t checkpoint;
  std::string_view prompt;
  std::size_t any, continuation;
};

TEST(SlotCache, reuses_what_the_model_allows) {
  const ReuseCase cases[] = {
      {"nothing_known", "", 0, "ab", 0, 0},
      {"a_continuation", "abcd", 3, "abcde", 4, 3},
      {"a_divergence_behind_the_checkpoint", "abcd", 3, "abcx", 3, 3},
      {"a_divergence_before_it", "abcd", 3, "abxx", 2, 0},
      {"never_the_whole_prompt", "abc", 2, "abc", 2, 2},
      {"a_shorter_prompt_leaves_one_to_read", "abcd", 3, "ab", 1, 0},
  };
  for (const ReuseCase& each : cases) {
    const Remembered known = remembered(each.known, each.checkpoint);
    const Sequence prompt = letters(each.prompt);
    const auto found = [&](PrefixReuse reuse) { return reusable(known, prompt, token_count(prompt), reuse); };
    EXPECT_EQ(found(PrefixReuse::any), each.any) << each.name;
    EXPECT_EQ(found(PrefixReuse::continuation), each.continuation) << each.name;
  }
}

TEST(SlotCache, counts_pieces_by_their_tokens) {
  const Sequence known{{1, 500}, {2, 12}};
  const Sequence prompt{{1, 500}, {3, 12}};
  EXPECT_EQ(token_count(known), 512U);
  EXPECT_EQ(common_tokens(known, prompt), 500U);
}

TEST(HostCache, forgets_the_oldest_when_full_and_what_is_continued) {
  HostCache cache(6);
  EXPECT_TRUE(cache.save(remembered("aa")));
  EXPECT_TRUE(cache.save(remembered("bb")));
  EXPECT_TRUE(cache.save(remembered("bbb")));
  EXPECT_EQ(cache.tokens(), 5U) << "in place of the one it continues";
  EXPECT_FALSE(cache.save(remembered("bb"))) << "the beginning of one that is there";
  EXPECT_TRUE(cache.save(remembered("cc")));
  EXPECT_EQ(cache.tokens(), 5U) << "the first had to go";
  Remembered slot;
  EXPECT_FALSE(cache.load(slot, letters("aaa")));
  EXPECT_TRUE(cache.load(slot, letters("bbbx")));
  EXPECT_EQ(slot.tokens, 3U);
  EXPECT_EQ(cache.tokens(), 2U) << "what is loaded is no longer there";
  EXPECT_FALSE(cache.save(remembered("ddddddd"))) << "larger than all of it";
  EXPECT_FALSE(cache.save(remembered(""))) << "nothing";
}

TEST(HostCache, loads_only_what_is_better_in_both_ways) {
  HostCache cache(1'000);
  cache.save(remembered("abcdefgh"));
  Remembered slot = remembered("abc");
  EXPECT_FALSE(cache.load(slot, letters("abcdx")))
      << "a token more of the prompt, but half of the sequence thrown away";
  slot = remembered("abcxxxxxxxxx");
  EXPECT_TRUE(cache.load(slot, letters("abcdx")));
  cache.save(remembered("zyxwvuts"));
  slot = remembered("");
  EXPECT_FALSE(cache.load(slot, letters("z1234567"))) << "an eighth of it is not worth it";
}

constexpr std::uint32_t kSlots = 3;

std::uint32_t take(SlotCache& cache, std::string_view prompt) { return cache.place(letters(prompt), 0)->slot; }
void give_back(SlotCache& cache, std::uint32_t slot, std::string_view held) {
  cache.release(slot, letters(held), held.size());
}

TEST(SlotCache, takes_the_last_of_those_never_used_then_the_one_released_first) {
  SlotCache cache(kSlots, PrefixReuse::any, 0);
  EXPECT_EQ(take(cache, "a"), 2U);
  EXPECT_EQ(take(cache, "b"), 1U);
  EXPECT_EQ(take(cache, "c"), 0U);
  EXPECT_FALSE(cache.place(letters("d"), 0)) << "none is free";
  for (const std::uint32_t slot : {1U, 0U, 2U}) give_back(cache, slot, "xyz");
  EXPECT_EQ(take(cache, "d"), 1U);
  EXPECT_EQ(take(cache, "e"), 0U);
}

TEST(SlotCache, prefers_the_slot_that_knows_more_than_a_tenth_of_the_prompt) {
  SlotCache cache(kSlots, PrefixReuse::any, 0);
  const std::uint32_t slot = take(cache, "a");
  give_back(cache, slot, "abcd");
  EXPECT_NE(take(cache, "a123456789"), slot) << "just a tenth";
  const auto place = cache.place(letters("abcd12"), 0);
  EXPECT_EQ(place->slot, slot);
  EXPECT_EQ(place->cached, 4U);
}

TEST(SlotCache, saves_idle_slots_when_another_begins_and_finds_them_again) {
  SlotCache cache(2, PrefixReuse::any, 1'000);
  EXPECT_EQ(cache.place(letters("aaaa"), 0)->copied, 0U);
  give_back(cache, 1, "aaaa");
  EXPECT_EQ(cache.place(letters("bbbb"), 0)->copied, 4U) << "the idle slot was saved";
  give_back(cache, 0, "bbbb");
  const auto third = cache.place(letters("cccc"), 0);
  EXPECT_EQ(third->slot, 1U);
  EXPECT_EQ(third->copied, 4U) << "its own was saved before, that of the other is now";
  give_back(cache, 1, "cccc");
  const auto fourth = cache.place(letters("dddd"), 0);
  EXPECT_EQ(fourth->slot, 0U);
  EXPECT_EQ(cache.known(letters("aaaaa")), 4U);
  const auto again = cache.place(letters("aaaaa"), 0);
  EXPECT_EQ(again->slot, 1U);
  EXPECT_EQ(again->cached, 4U);
  EXPECT_EQ(again->copied, 0U) << "loaded; what was there was saved before";
}

TEST(SlotCache, without_a_host_cache_forgets_what_another_took) {
  SlotCache cache(1, PrefixReuse::any, 0);
  for (const std::string_view prompt : {"aaaa", "bbbb"}) give_back(cache, take(cache, prompt), prompt);
  const auto place = cache.place(letters("aaaaa"), 0);
  EXPECT_EQ(place->cached, 0U);
  EXPECT_EQ(place->copied, 0U);
}

}  // namespace
}  // namespace drover::engine
