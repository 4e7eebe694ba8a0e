#include "balance/quantile_line.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace drover::balance {
namespace {

TEST(QuantileLine, goes_through_the_first_point_and_nothing) {
  QuantileLine line(0.5);
  EXPECT_FALSE(line.known());
  EXPECT_DOUBLE_EQ(line.at(10), 5);
  line.add(100, 20);
  EXPECT_TRUE(line.known());
  EXPECT_DOUBLE_EQ(line.at(100), 20);
  EXPECT_DOUBLE_EQ(line.offset(), 0);
}

TEST(QuantileLine, finds_what_there_is_even_for_nothing) {
  QuantileLine line(1);
  for (const double x : {100.0, 2000.0, 300.0, 50.0, 5000.0}) line.add(x, 0.4 + x / 1000);
  EXPECT_NEAR(line.offset(), 0.4, 1e-9);
  EXPECT_NEAR(line.slope(), 0.001, 1e-12);
}

TEST(QuantileLine, lies_below_most_of_what_is_disturbed) {
  QuantileLine line(1);
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const double x = 50 + static_cast<double>(random.below(5000));
    line.add(x, (0.4 + x / 1000) * (random.chance(0.5) ? 1 : 1 + 3 * random.uniform()));
  }
  EXPECT_NEAR(line.at(100), 0.5, 0.5);
  EXPECT_NEAR(line.at(4000), 4.4, 2) << "the mean is 6";
}

TEST(QuantileLine, never_falls_and_never_starts_below_nothing) {
  QuantileLine line(1);
  line.add(100, 2);
  line.add(1000, 1);
  line.add(3000, 0.5);
  EXPECT_GT(line.slope(), 0);
  EXPECT_GE(line.offset(), 0);
}

TEST(QuantileLine, follows_when_all_has_become_slower) {
  QuantileLine line(1);
  for (int i = 1; i <= 20; ++i) line.add(100 * i, 0.4 + i / 10.0);
  for (int i = 1; i <= 10; ++i) line.add(100 * i, 4 * (0.4 + i / 10.0));
  EXPECT_NEAR(line.at(500), 3.6, 0.4);
  line.scale(0.25);
  EXPECT_NEAR(line.at(500), 0.9, 0.1);
}

}  // namespace
}  // namespace drover::balance
