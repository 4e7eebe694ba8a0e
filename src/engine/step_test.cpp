#include "engine/step.h"

#include <gtest/gtest.h>

#include <string_view>

namespace drover::engine {
namespace {

// Weights 10 and 12 ms for one and two rows, 4 ms and one for each row of more; attention apart.
StepCosts weights_only() { return {.few_rows = {Cost{10}, Cost{12}}, .many_rows = Cost{4}, .row = Cost{1}}; }

TEST(Step, weights_are_bound_by_memory_then_by_arithmetic) {
  const StepCosts costs = weights_only();
  EXPECT_EQ(weights_cost(costs, 0), Cost{0});
  EXPECT_EQ(weights_cost(costs, 1), Cost{10});
  EXPECT_EQ(weights_cost(costs, 2), Cost{12});
  EXPECT_EQ(weights_cost(costs, 3), Cost{12}) << "no less than fewer rows";
  EXPECT_EQ(weights_cost(costs, 100), Cost{104});
}

struct PassCase {
  std::string_view name;
  std::vector<StepRows> rows;  // slot, rows
  std::uint32_t most;
  double adjacent, joint;  // milliseconds
};

TEST(Step, is_divided_into_passes) {
  const PassCase cases[] = {
      {"one_slot", {{0, 1}}, 1024, 10, 10},
      {"neighbours_share_a_pass", {{2, 1}, {3, 1}}, 1024, 12, 12},
      {"others_do_not", {{0, 1}, {2, 1}}, 1024, 20, 12},
      {"two_of_three_do", {{0, 1}, {2, 1}, {3, 1}}, 1024, 22, 12},
      {"all_four_do", {{0, 1}, {1, 1}, {2, 1}, {3, 1}}, 1024, 12, 12},
      {"a_prompt_gives_its_first_row_to_its_neighbours_pass", {{0, 1}, {1, 50}}, 1024, 12 + 4 + 49, 4 + 51},
      {"a_prompt_before_those_who_decode_does_not", {{1, 1}, {0, 50}}, 1024, 10 + 4 + 50, 4 + 51},
      {"prompts_share_a_pass_while_both_have_rows", {{0, 30}, {1, 50}}, 1024, 4 + 60 + 4 + 20, 4 + 80},
      {"equal_prompts_share_all", {{0, 30}, {1, 30}, {2, 30}}, 1024, 4 + 90, 4 + 90},
      {"a_pass_has_a_limit", {{0, 30}, {1, 30}}, 40, 4 + 40 + 4 + 20, 4 + 60},
  };
  for (const PassCase& each : cases) {
    std::vector<StepRows> rows = each.rows;
    EXPECT_DOUBLE_EQ(step_cost(weights_only(), Passes::adjacent, each.most, rows).count(), each.adjacent) << each.name;
    rows = each.rows;
    EXPECT_DOUBLE_EQ(step_cost(weights_only(), Passes::joint, each.most, rows).count(), each.joint) << each.name;
  }
}

TEST(Step, attention_costs_by_pairs_of_a_row_and_what_it_looks_back_at) {
  const StepCosts costs{.pair_alone = Cost{100}, .pair_one = Cost{1000}, .pair_few = Cost{10}, .pair_tiled = Cost{1}};
  const auto of = [&](std::uint32_t count, std::uint64_t context) {
    StepRows rows[] = {{.slot = 0, .rows = count, .context = context}};
    return step_cost(costs, Passes::adjacent, 1024, rows).count();
  };
  EXPECT_EQ(of(1, 9), 100 * 10) << "with itself";
  EXPECT_EQ(of(1, kSplit + 4), 100 * kSplit + 1000 * 5);
  EXPECT_EQ(of(2, 9), 10 * (10 + 11));
  EXPECT_EQ(of(kTile, 0), kTile * (kTile + 1) / 2);
}

}  // namespace
}  // namespace drover::engine
