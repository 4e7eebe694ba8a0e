#include "balance/slots.h"

#include <gtest/gtest.h>

#include <limits>
#include <string_view>

namespace drover::balance {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// An answer of which `rest` milliseconds are not explained by loading, reading and generating.
SlotSample sample(int rest, std::optional<int> first_end, unsigned in_flight = 1, bool others_wait = true) {
  SlotSample made;
  made.durations = {.total = milliseconds(5000 + rest),
                    .load = milliseconds(1),
                    .prompt_eval = milliseconds(999),
                    .eval = milliseconds(4000)};
  if (first_end) made.first_end = milliseconds(*first_end);
  made.in_flight = in_flight;
  made.others_wait = others_wait;
  return made;
}

struct JudgeCase {
  std::string_view name;
  int rest;
  std::optional<int> first_end;
  SlotVerdict verdict;
};
constexpr JudgeCase kJudgeCases[] = {
    {"ran_alone", 10, std::nullopt, SlotVerdict::unhindered},
    {"a_long_rest_with_no_end_of_another_was_no_wait_for_a_slot", 2300, std::nullopt, SlotVerdict::unhindered},
    {"began_long_before_another_ended", 1000, 3000, SlotVerdict::unhindered},
    {"began_when_another_ended", 3010, 3000, SlotVerdict::hindered},
    {"began_after_two_others_ended", 6000, 3000, SlotVerdict::hindered},
    {"began_a_little_before_by_the_node_s_clock", 2900, 3000, SlotVerdict::hindered},
    {"another_ended_at_once", 20, 100, SlotVerdict::undecided},
    {"another_ended_at_once_and_a_step_was_long", 1500, 100, SlotVerdict::undecided},
};

TEST(Slots, tell_a_wait_for_a_slot_from_other_delays) {
  for (const JudgeCase& test : kJudgeCases) {
    EXPECT_EQ(judge(sample(test.rest, test.first_end)), test.verdict) << test.name;
  }
}

TEST(Slots, survive_any_number_that_a_node_reports) {
  SlotSample wild = sample(0, 3000);
  wild.durations = {
      .total = Duration::max(), .load = Duration::min(), .prompt_eval = Duration::min(), .eval = Duration::min()};
  EXPECT_EQ(judge(wild), SlotVerdict::hindered);
  wild.durations = {
      .total = Duration::min(), .load = Duration::max(), .prompt_eval = Duration::max(), .eval = Duration::max()};
  EXPECT_EQ(judge(wild), SlotVerdict::unhindered);
}

// A node that really runs `real` at once, kept full while others wait, for `answers` answers.
void keep_full(SlotEstimate& estimate, unsigned real, int answers, Mono& now) {
  for (int i = 0; i < answers; ++i) {
    now += seconds(1);
    const unsigned in_flight = estimate.slots();
    estimate.observe(in_flight > real ? sample(3000, 2950, in_flight) : sample(20, 4000, in_flight), now);
  }
}

TEST(Slots, automatic_ones_find_what_the_node_runs) {
  for (const unsigned real : {1U, 2U, 4U, 8U}) {
    SlotEstimate estimate{SlotSetting{}};
    Mono now{};
    EXPECT_EQ(estimate.slots(), 1U);
    keep_full(estimate, real, 100, now);
    EXPECT_EQ(estimate.slots(), real);
  }
}

TEST(Slots, one_too_many_is_not_tried_again_for_ten_minutes) {
  SlotEstimate estimate{SlotSetting{}};
  Mono now{};
  keep_full(estimate, 4, 60, now);
  unsigned most = 0;
  for (const Mono end = now + minutes(9); now < end;) {
    keep_full(estimate, 4, 1, now);
    most = std::max(most, estimate.slots());
  }
  EXPECT_EQ(most, 4U);
  keep_full(estimate, 8, 1200, now);  // restarted with OLLAMA_NUM_PARALLEL=8
  EXPECT_EQ(estimate.slots(), 8U);
}

TEST(Slots, are_raised_only_when_somebody_waits_for_one_and_they_were_all_used) {
  SlotEstimate estimate{{.start = 2, .most = 16}};
  for (int i = 0; i < 20; ++i) estimate.observe(sample(10, std::nullopt, 2, false), Mono{});
  for (int i = 0; i < 20; ++i) estimate.observe(sample(10, std::nullopt, 1, true), Mono{});
  EXPECT_EQ(estimate.slots(), 2U);
  for (int i = 0; i < 2; ++i) estimate.observe(sample(10, std::nullopt, 2, true), Mono{});
  EXPECT_EQ(estimate.slots(), 3U);
}

TEST(Slots, one_hindered_answer_alone_lowers_nothing) {
  SlotEstimate estimate{{.start = 4, .most = 16}};
  for (int i = 0; i < 10; ++i) {
    estimate.observe(sample(3000, 3000, 4, false), Mono{});
    estimate.observe(sample(10, 3000, 4, false), Mono{});
  }
  EXPECT_EQ(estimate.slots(), 4U);
  estimate.observe(sample(3000, 3000, 4, false), Mono{});
  estimate.observe(sample(3000, 3000, 4, false), Mono{});
  EXPECT_EQ(estimate.slots(), 3U);
}

TEST(Slots, keep_within_their_bounds) {
  SlotEstimate few{{.start = 1, .most = 3}};
  Mono now{};
  keep_full(few, 64, 100, now);
  EXPECT_EQ(few.slots(), 3U);
  SlotEstimate one{SlotSetting{}};
  for (int i = 0; i < 10; ++i) one.observe(sample(3000, 3000, 1), Mono{});
  EXPECT_EQ(one.slots(), 1U);
  EXPECT_EQ(SlotEstimate({.fixed = 0, .start = 1, .most = 16}).slots(), 1U);
}

TEST(Slots, fixed_ones_learn_nothing) {
  SlotEstimate estimate{{.fixed = 2, .start = 1, .most = 16}};
  Mono now{};
  keep_full(estimate, 8, 50, now);
  estimate.hint(7);
  EXPECT_EQ(estimate.slots(), 2U);
  EXPECT_FALSE(estimate.automatic());
}

TEST(Slots, believe_a_hint_until_answers_say_otherwise) {
  SlotEstimate estimate{SlotSetting{}};
  estimate.hint(4);
  EXPECT_EQ(estimate.slots(), 4U);
  Mono now{};
  keep_full(estimate, 2, 10, now);
  EXPECT_EQ(estimate.slots(), 2U);
  estimate.hint(4);  // the same again, with every poll
  EXPECT_EQ(estimate.slots(), 2U);
  estimate.hint(6);
  EXPECT_EQ(estimate.slots(), 6U);
}

TEST(Slots, a_changed_setting_keeps_what_was_learned_where_it_fits) {
  SlotEstimate estimate{SlotSetting{}};
  Mono now{};
  keep_full(estimate, 4, 100, now);
  estimate.configure({.start = 1, .most = 8});
  EXPECT_EQ(estimate.slots(), 4U);
  estimate.configure({.fixed = 2, .start = 1, .most = 8});
  EXPECT_EQ(estimate.slots(), 2U);
  estimate.configure({.start = 3, .most = 8});
  EXPECT_EQ(estimate.slots(), 3U);
}

}  // namespace
}  // namespace drover::balance
