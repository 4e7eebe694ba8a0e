// The scheduler as its events see it: who starts where, who waits, who is sent away.
#include "balance/scheduler.h"

#include <gtest/gtest.h>

#include "balance/scheduler_fixture.h"

namespace drover::balance {
namespace {

using testing::Fleet;
using testing::milliseconds;
using testing::seconds;

// ---- slots and the line
// ----------------------------------------------------------------------------------------------

TEST(Scheduler, starts_a_request_on_a_warm_node_at_once) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  EXPECT_EQ(fleet.submit(1, "a"), "on 0 (only_one)");
  EXPECT_EQ(fleet.said(), "");
}

TEST(Scheduler, binds_late_and_in_order_of_arrival) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  EXPECT_EQ(fleet.submit(3, "a"), "queued 2");
  EXPECT_EQ(fleet.said(), "");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
  fleet.ends(2, 0);
  EXPECT_EQ(fleet.said(), "grant 3 on 0");
}

TEST(Scheduler, fills_every_slot_of_a_node_and_no_more) {
  Fleet fleet;
  fleet.node(0, 3);
  fleet.has(0, {"a*"});
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_EQ(fleet.submit(id, "a"), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(4, "a"), "queued 1");
}

TEST(Scheduler, counts_slots_per_model_since_each_runner_has_its_own) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*", "b*"});
  EXPECT_EQ(fleet.submit(1, "a"), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(2, "b"), "on 0 (only_one)");
}

TEST(Scheduler, lets_names_of_the_same_weights_share_slots_and_residency) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a=w*", "b=w"});
  EXPECT_EQ(fleet.submit(1, "b"), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  EXPECT_EQ(fleet.submit(3, "b"), "queued 1");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
}

TEST(Scheduler, lets_no_model_wait_behind_another) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*", "b*"});
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  EXPECT_EQ(fleet.submit(3, "b"), "on 0 (only_one)");
}

TEST(Scheduler, spreads_over_idle_nodes_in_turn) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 3; ++id) {
    fleet.node(id, 4);
    fleet.has(id, {"a*"});
  }
  std::string picked;
  for (std::uint64_t id = 1; id <= 6; ++id) picked += fleet.submit(id, "a").substr(3, 1);
  EXPECT_EQ(picked, "012012");
}

TEST(Scheduler, looks_past_those_in_line_who_cannot_use_the_free_slot) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 1);
    fleet.has(id, {"a*"});
    fleet.submit(id + 1, "a");
  }
  Submission choosy = fleet.ask(3, "a");
  choosy.pinned = NodeId{0};
  EXPECT_EQ(fleet.submit(choosy), "queued 1");
  EXPECT_EQ(fleet.submit(4, "a"), "queued 2");
  fleet.ends(2, 1);
  EXPECT_EQ(fleet.said(), "grant 4 on 1");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 3 on 0");
}

}  // namespace
}  // namespace drover::balance
