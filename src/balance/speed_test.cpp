#include "balance/speed.h"

#include <gtest/gtest.h>

namespace drover::balance {
namespace {

Duration to_duration(double seconds) { return Duration(static_cast<std::int64_t>(seconds * 1e9)); }

// An answer whose every prompt token took `read` seconds and each token `write`.
SpeedSample answer(double read, double write, double batch = 1) {
  return {.durations = {.prompt_eval = to_duration(read * 1000), .eval = to_duration(write * 100), .eval_tokens = 100},
          .reading = 1000,
          .batch = batch};
}

TEST(Speed, knows_after_one_answer) {
  SpeedEstimate speed;
  EXPECT_FALSE(speed.knows_reading() || speed.knows_writing());
  speed.observe(answer(0.002, 0.05));
  EXPECT_TRUE(speed.knows_reading() && speed.knows_writing());
  EXPECT_DOUBLE_EQ(speed.read_time(), 0.002);
  EXPECT_DOUBLE_EQ(speed.token_time(1), 0.05);
}

TEST(Speed, learns_what_one_more_answer_at_once_costs) {
  SpeedEstimate speed;
  for (int i = 0; i < 40; ++i) {
    const double batch = 1 + i % 4;
    speed.observe(answer(0.001, 0.02 + 0.005 * batch, batch));
  }
  EXPECT_NEAR(speed.token_time(1), 0.025, 0.001);
  EXPECT_NEAR(speed.token_time(4), 0.040, 0.001);
  EXPECT_NEAR(speed.token_time(8), 0.060, 0.003) << "beyond what was seen, too";
}

// A step takes 20 ms, 3 for each answer, and 3 for each 5,000 tokens that one of them has behind it.
TEST(Speed, learns_what_long_contexts_cost_as_well_as_many_answers) {
  SpeedEstimate speed;
  for (int i = 0; i < 60; ++i) {
    const double answers = 1 + i % 3;
    const double contexts = 8000.0 * (i % 4);
    speed.observe(
        answer(0.001, 0.020 + 0.003 * answers + 0.003 * contexts / 5000, answers - 1 + writing_weight(contexts)));
  }
  EXPECT_NEAR(speed.token_time(writing_weight(0)), 0.023, 0.0005);
  EXPECT_NEAR(speed.token_time(writing_weight(20'000)), 0.035, 0.0005);
  EXPECT_NEAR(speed.token_time(2 * writing_weight(20'000)), 0.050, 0.0005);
  EXPECT_NEAR(speed.token_slope(), 0.003, 0.0003);
}

TEST(Speed, is_not_misled_by_prompts_that_were_read_together) {
  SpeedEstimate speed;
  for (const double shared : {3.0, 1.0, 2.0, 1.1, 4.0, 2.0, 3.0, 2.0}) speed.observe(answer(0.001 * shared, 0.03));
  EXPECT_NEAR(speed.read_time(), 0.001, 0.0002);
}

TEST(Speed, one_bad_answer_is_not_believed_and_ten_are) {
  SpeedEstimate speed;
  for (int i = 0; i < 20; ++i) speed.observe(answer(0.001, 0.03));
  speed.observe(answer(0.1, 3));
  EXPECT_LT(speed.token_time(1), 0.05);
  EXPECT_DOUBLE_EQ(speed.read_time(), 0.001);
  for (int i = 0; i < 10; ++i) speed.observe(answer(0.004, 0.12));
  EXPECT_GT(speed.token_time(1), 0.09) << "it has become four times slower";
  EXPECT_DOUBLE_EQ(speed.read_time(), 0.004);
}

std::optional<double> compare(Pace& pace, double write, double batch = 1) {
  return pace.compare(answer(0.001, write, batch));
}

TEST(Pace, needs_a_few_answers_to_know_what_is_usual) {
  Pace pace;
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(compare(pace, 0.03));
  EXPECT_NEAR(compare(pace, 0.03).value(), 1, 0.01);
  EXPECT_NEAR(compare(pace, 0.12).value(), 4, 0.1);
}

TEST(Pace, what_is_slow_for_long_becomes_usual) {
  Pace pace;
  for (int i = 0; i < 50; ++i) compare(pace, 0.03);
  for (int i = 0; i < 50; ++i) EXPECT_GT(compare(pace, 0.12).value(), 2.5);
  for (int i = 0; i < 500; ++i) compare(pace, 0.12);
  EXPECT_LT(compare(pace, 0.12).value(), 1.5);
}

TEST(Pace, a_node_that_is_busier_than_ever_is_not_slow) {
  Pace pace;
  for (int i = 0; i < 50; ++i) compare(pace, 0.03);
  // Answers take turns: the time of a token grows with their number.
  for (int batch = 2; batch <= 8; ++batch) {
    for (int i = 0; i < 10; ++i) EXPECT_LT(compare(pace, 0.03 * batch, batch).value(), 2.5) << batch;
  }
}

TEST(Pace, a_short_answer_says_nothing) {
  Pace pace;
  for (int i = 0; i < 50; ++i) compare(pace, 0.03);
  SpeedSample sample = answer(0.001, 1);
  sample.durations.eval_tokens = 4;
  EXPECT_FALSE(pace.compare(sample));
}

TEST(Speed, small_answers_say_nothing) {
  SpeedEstimate speed;
  speed.observe({.durations = {.prompt_eval = to_duration(1), .eval = to_duration(1), .eval_tokens = 1}, .reading = 4});
  EXPECT_FALSE(speed.knows_reading() || speed.knows_writing());
}

TEST(FadingMean, the_first_values_count_equally_and_old_ones_fade) {
  FadingMean mean(7, 0.1);
  EXPECT_EQ(mean.value(), 7);
  EXPECT_FALSE(mean.known());
  mean.add(1);
  mean.add(3);
  EXPECT_DOUBLE_EQ(mean.value(), 2);
  for (int i = 0; i < 60; ++i) mean.add(10);
  EXPECT_NEAR(mean.value(), 10, 0.1);
}

}  // namespace
}  // namespace drover::balance
