#include "balance/gpu_score.h"

#include <gtest/gtest.h>

#include "balance/scheduler_fixture.h"

namespace drover::balance {
namespace {

using testing::Fleet;
using testing::seconds;

struct Place {
  std::optional<GpuLoad> gpu;
  std::size_t in_flight = 0;  // of four slots
  double weight = 1;
};
struct ScoreCase {
  std::string_view name;
  std::vector<Place> places;
  double gpu_share;
  std::size_t picked;
};
const ScoreCase kCases[] = {
    {"the_idle_gpu", {{{{0.9, 0.5}}}, {{{0.1, 0.5}}}}, 0.7, 1},
    {"the_free_memory_where_gpus_are_equal", {{{{0.5, 0.2}}}, {{{0.5, 0.9}}}}, 0.7, 0},
    {"gpu_time_counts_for_more", {{{{0.2, 0.8}}}, {{{0.6, 0.1}}}}, 0.7, 0},
    {"unless_the_route_says_otherwise", {{{{0.2, 0.8}}}, {{{0.6, 0.1}}}}, 0.2, 1},
    {"memory_alone", {{{{0, 0.6}}}, {{{1, 0.5}}}}, 0, 1},
    {"a_node_without_a_report_is_as_free_as_its_slots", {{{{0.5, 0.5}}}, {std::nullopt, 1}}, 0.7, 1},
    {"and_as_busy", {{{{0.5, 0.5}}}, {std::nullopt, 3}}, 0.7, 0},
    {"a_degraded_node_counts_for_less", {{{{0.1, 0.1}}, 0, 0.25}, {{{0.5, 0.5}}}}, 0.7, 1},
    {"of_equals_the_one_with_less_to_do", {{{{1, 1}}, 3}, {{{1, 1}}, 2}}, 0.7, 1},
};

TEST(GpuScore, takes_the_node_whose_gpus_have_most_left) {
  Random random(1);
  for (const ScoreCase& test : kCases) {
    std::vector<Candidate> candidates;
    for (const Place& place : test.places) {
      candidates.push_back({.node = NodeId{candidates.size()},
                            .readiness = Readiness::ready,
                            .slots = 4,
                            .in_flight = static_cast<unsigned>(place.in_flight),
                            .node_in_flight = place.in_flight,
                            .weight = place.weight,
                            .gpu = place.gpu});
    }
    const Pick pick = GpuScore().pick(candidates, {.now = Mono{}, .random = random, .gpu_share = test.gpu_share});
    EXPECT_EQ(std::get<StartOn>(pick).candidate, test.picked) << test.name;
  }
}

SchedulerSettings by_gpu() {
  SchedulerSettings settings;
  settings.policy = PolicyKind::gpu_score;
  return settings;
}

// How many of the next requests start on each of two nodes with eight slots, if none ends.
std::pair<int, int> shares(Fleet& fleet, std::uint64_t first, int count) {
  std::pair<int, int> started{};
  for (int i = 0; i < count; ++i) {
    const std::string on = fleet.submit(first + static_cast<std::uint64_t>(i), "a");
    started.first += on == "on 0 (gpu_score)" ? 1 : 0;
    started.second += on == "on 1 (gpu_score)" ? 1 : 0;
  }
  return started;
}

class TwoNodes : public Fleet {
 public:
  TwoNodes() : Fleet(by_gpu()) {
    for (std::uint64_t id = 0; id < 2; ++id) {
      node(id, 8);
      has(id, {"a*"});
    }
  }
  void reports(std::uint64_t id, double busy, double memory) {
    scheduler.observe_gpu(NodeId{id}, {.busy = busy, .memory = memory}, now);
  }
};

TEST(GpuScore, follows_gpus_that_others_keep_busy) {
  TwoNodes fleet;
  fleet.reports(0, 0.9, 0.5);
  fleet.reports(1, 0.1, 0.5);
  EXPECT_EQ(shares(fleet, 1, 6), std::pair(0, 6)) << "equal by the gateway's own counts";
  fleet.reports(0, 0.1, 0.5);
  fleet.reports(1, 1.0, 0.5);
  EXPECT_EQ(shares(fleet, 7, 4), std::pair(4, 0));
}

TEST(GpuScore, does_not_send_all_to_one_node_between_two_reports) {
  TwoNodes fleet;
  fleet.reports(0, 0.0, 0.5);
  fleet.reports(1, 0.2, 0.5);
  const auto [first, second] = shares(fleet, 1, 10);
  EXPECT_EQ(first + second, 10);
  EXPECT_NEAR(first, 6, 1);
}

TEST(GpuScore, does_not_use_a_report_that_is_too_old) {
  TwoNodes fleet;
  fleet.reports(0, 0.9, 0.9);
  fleet.reports(1, 0.0, 0.0);
  fleet.passes(seconds(4));
  EXPECT_EQ(shares(fleet, 1, 2), std::pair(0, 2));
  fleet.passes(seconds(1));
  EXPECT_EQ(shares(fleet, 3, 2), std::pair(2, 0)) << "its own counts lead";
}

}  // namespace
}  // namespace drover::balance
