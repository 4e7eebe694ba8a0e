#include "balance/returns.h"

#include <gtest/gtest.h>

namespace drover::balance {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// Of each ten prompts one is continued after `slow`, `quick` of them after three seconds, and the others never.
Returns returns(int quick, Duration slow, int rounds = 20) {
  Returns all;
  for (int i = 0; i < rounds; ++i) {
    for (int each = 0; each < 10; ++each) {
      all.asked();
      if (each < quick) all.came_back(seconds(3));
      if (each == quick) all.came_back(slow);
    }
  }
  return all;
}

TEST(Returns, nothing_is_expected_before_anything_came_back) {
  Returns none;
  EXPECT_EQ(none.likely(seconds(1)), 0);
  none.asked();
  EXPECT_EQ(none.likely(seconds(1)), 0);
}

TEST(Returns, what_pauses_for_a_tool_is_expected_and_what_pauses_for_longer_is_not) {
  const Returns all = returns(7, minutes(1));
  EXPECT_NEAR(all.likely(seconds(0)), 0.8, 0.01);
  EXPECT_NEAR(all.likely(seconds(10)), 1.0 / 3, 0.01) << "of three that are not back by then, one comes";
  EXPECT_EQ(all.likely(minutes(10)), 0);
}

TEST(Returns, follow_when_pauses_become_others) {
  Returns all = returns(7, minutes(1), 200);
  for (int i = 0; i < 4000; ++i) all.asked();
  EXPECT_LT(all.likely(seconds(0)), 0.05);
}

TEST(Returns, go_on_for_ever) {
  const Returns all = returns(8, seconds(20), 30'000);
  EXPECT_NEAR(all.likely(seconds(0)), 0.9, 0.01);
  EXPECT_NEAR(all.likely(seconds(10)), 0.5, 0.01);
}

}  // namespace
}  // namespace drover::balance
