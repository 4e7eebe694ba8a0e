// Cards and memory.
#include <gtest/gtest.h>

#include "engine/card.h"
#include "engine/memory.h"

namespace drover::engine {
namespace {

using namespace std::chrono_literals;

TEST(Card, costs_follow_the_size_of_the_model) {
  const Card& card = *card_named("fast");
  ModelSpec model;
  model.file = card.file;
  model.parameters = card.parameters;
  model.kv_per_token = card.kv_per_token;
  const StepCosts same = costs_on(card, model);
  EXPECT_EQ(same.few_rows, card.costs.few_rows);
  EXPECT_EQ(same.row, card.costs.row);
  model.file = Bytes{card.file.value * 2};
  EXPECT_EQ(costs_on(card, model).few_rows[0], card.costs.few_rows[0] * 2.0);
  EXPECT_EQ(costs_on(card, model).row, card.costs.row);
}

TEST(Card, presets_are_found_by_name) {
  for (const Card& card : cards()) EXPECT_EQ(card_named(card.name), &card) << card.name;
  for (const auto name : {"fast", "slow", "small", "measured"}) EXPECT_NE(card_named(name), nullptr) << name;
  EXPECT_EQ(card_named("h1000"), nullptr);
}

// rtx4090: 1,008 GB/s, of which 0.8 are reached, and 165 Tflop/s, of which 0.5 are.
//   one row     2.5 + 4.92e9 / 806.4e9 s  = 8.601 ms, each further one times 1.05
//   many rows   2 x 8.03e9 / 82.5e12 s    = 0.19467 ms a row
//   attention   131,072 / 806.4e9 s       = 0.00016254 ms a token of context
TEST(Card, an_estimate_follows_from_the_data_sheet) {
  const Card& card = *card_named("rtx4090");
  ASSERT_EQ(card.costs.few_rows.size(), 4U);
  EXPECT_NEAR(card.costs.few_rows[0].count(), 8.601, 0.001);
  EXPECT_NEAR(card.costs.few_rows[1].count(), 9.031, 0.001);
  EXPECT_NEAR(card.costs.row.count(), 0.19467, 0.00001);
  EXPECT_NEAR(card.costs.pair_one.count(), 0.00016254, 1e-8);
  EXPECT_EQ(card.vram, 24_GiB);
}

// What nobody has measured is at least in an order that everybody knows.
TEST(Card, a_better_card_is_faster) {
  for (const auto& [slower, faster] : {std::pair("rtx3090", "rtx4090"), std::pair("rtx4090", "rtx5090"),
                                       std::pair("l4", "l40s"), std::pair("a100-80g", "h100")}) {
    EXPECT_GT(card_named(slower)->costs.few_rows[0], card_named(faster)->costs.few_rows[0]) << faster;
    EXPECT_GT(card_named(slower)->costs.row, card_named(faster)->costs.row) << faster;
  }
}

TEST(Memory, section_4_7_counts_the_cache_of_every_slot) {
  ModelSpec model;
  model.file = Bytes{1'000};
  model.kv_per_token = Bytes{10};
  EXPECT_EQ(size_in_memory(model, 100, 4), Bytes{1'000 + 10 * 100 * 4});
}

TEST(Memory, section_4_7_a_card_takes_a_model_of_up_to_four_fifths_of_what_is_free) {
  EXPECT_TRUE(fits(Bytes{800}, Bytes{1'000}));
  EXPECT_FALSE(fits(Bytes{801}, Bytes{1'000}));
  EXPECT_EQ(placed(Bytes{2'000}, Bytes{1'000}), Bytes{800});
  EXPECT_EQ(slowdown(Bytes{800}, Bytes{800}), 1);
  EXPECT_GT(slowdown(Bytes{2'000}, Bytes{800}), 5) << "the rest runs on the host, slowly";
}

TEST(Memory, section_4_4_the_default_context_depends_on_the_card) {
  ModelSpec model;
  model.context = 131'072;
  EXPECT_EQ(default_context(8_GiB, model), 4'096U);
  EXPECT_EQ(default_context(24_GiB, model), 32'768U);
  EXPECT_EQ(default_context(80_GiB, model), 131'072U) << "at most what the model was trained for";
}

TEST(Memory, section_4_7_the_victim_is_idle_and_has_the_shortest_keep_alive) {
  EXPECT_EQ(pick_victim({}), std::nullopt);
  const Resident residents[] = {{"c", 5min, true}, {"b", 1min, true}, {"a", 1min, true}, {"0", 1s, false}};
  EXPECT_EQ(pick_victim(residents), 2U) << "the lower weights of two equal ones; never a busy one if one is idle";
  const Resident busy[] = {{"c", 5min, false}, {"b", 1min, false}};
  EXPECT_EQ(pick_victim(busy), 1U);
}

}  // namespace
}  // namespace drover::engine
