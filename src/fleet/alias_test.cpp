// Who gets which of an alias's models.
#include "fleet/alias.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "fleet/fleet_view.h"

namespace drover::fleet {
namespace {

struct Split {
  std::vector<unsigned> weights;
  std::vector<Model> models{weights.size()};
  Alias alias{"a"};

  explicit Split(std::vector<unsigned> its_weights) : weights(std::move(its_weights)) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      models[i].key = fmt::format("model-{}", i);
      alias.add(models[i], weights[i]);
    }
  }
  std::size_t pick(std::uint64_t affinity, std::uint64_t turn) const {
    return static_cast<std::size_t>(&alias.model_for(affinity, turn) - models.data());
  }
};

// A conversation's key: any number but 0.
std::uint64_t conversation(std::uint64_t number) { return number * 0x2545f4914f6cdd1d + 1; }

const std::vector<std::vector<unsigned>> kWeights = {{1}, {1, 1}, {9, 1}, {1, 1000}, {5, 3, 2}, {1, 2, 3, 4}};

TEST(Alias, turns_give_each_model_its_share_within_a_few_of_any_hundred_requests) {
  for (const auto& weights : kWeights) {
    const Split split(weights);
    double sum = 0;
    for (const unsigned weight : weights) sum += weight;
    for (const std::uint64_t begin : {0ULL, 1ULL << 48, 123'456'789ULL}) {
      std::map<std::size_t, int> met;
      for (std::uint64_t turn = begin; turn < begin + 100; ++turn) ++met[split.pick(0, turn)];
      for (std::size_t i = 0; i < weights.size(); ++i) {
        EXPECT_NEAR(met[i], 100 * weights[i] / sum, 3) << fmt::format("{}", fmt::join(weights, ":"));
      }
    }
  }
}

TEST(Alias, a_conversation_stays_with_its_model) {
  for (const auto& weights : kWeights) {
    const Split split(weights);
    for (std::uint64_t i = 0; i < 100; ++i) {
      EXPECT_EQ(split.pick(conversation(i), 0), split.pick(conversation(i), i));
    }
  }
}

TEST(Alias, conversations_are_shared_by_weight) {
  for (const auto& weights : kWeights) {
    const Split split(weights);
    double sum = 0;
    for (const unsigned weight : weights) sum += weight;
    constexpr int kConversations = 10'000;
    std::map<std::size_t, int> met;
    for (std::uint64_t i = 0; i < kConversations; ++i) ++met[split.pick(conversation(i), 0)];
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double expected = kConversations * weights[i] / sum;
      EXPECT_NEAR(met[i], expected, 5 * std::sqrt(expected) + 1) << fmt::format("{}", fmt::join(weights, ":"));
    }
  }
}

TEST(Alias, a_larger_weight_moves_conversations_to_its_model_alone) {
  const Split before({5, 3, 2}), after({5, 6, 2});
  int moved = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const auto from = before.pick(conversation(i), 0), to = after.pick(conversation(i), 0);
    if (from == to) continue;
    EXPECT_EQ(to, 1U);
    ++moved;
  }
  EXPECT_NEAR(moved, 10'000 * (6 / 13.0 - 3 / 10.0), 300);
}

}  // namespace
}  // namespace drover::fleet
