#include "balance/leak.h"

#include <gtest/gtest.h>

#include "balance/scheduler_fixture.h"

namespace drover::balance {
namespace {

using testing::Fleet;
using testing::seconds;

// One node with the model `a` in memory.
class LeakyFleet : public Fleet {
 public:
  explicit LeakyFleet(unsigned slots) {
    node(0, slots);
    has(0, {"a*", "b"});
  }
  // These have no byte of their answers, for so long; they say so each five seconds. How many are told to give up.
  int silent_for(int time, std::initializer_list<std::uint64_t> requests) {
    int in_vain = 0;
    for (int passed = 0; passed < time; passed += 5) {
      passes(seconds(5));
      in_vain = 0;
      for (const std::uint64_t request : requests) in_vain += scheduler.waits_in_vain(RequestId{request}, now) ? 1 : 0;
    }
    return in_vain;
  }
  void takes_back(std::uint64_t request) { fails(request, 0, ErrorCode::slot_leaked); }
  void unloaded(std::uint64_t token, bool done = true) {
    Actions actions;
    scheduler.unloaded(UnloadToken{token}, done, now, actions);
    took = std::move(actions);
  }
  Actions took;
};

TEST(Leak, a_model_on_which_nothing_starts_is_unloaded_when_its_requests_are_taken_back) {
  LeakyFleet fleet(2);
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  EXPECT_EQ(fleet.silent_for(55, {1, 2}), 0);
  EXPECT_EQ(fleet.silent_for(10, {1, 2}), 2);
  fleet.takes_back(1);
  EXPECT_EQ(fleet.said(), "") << "another one may still run there";
  EXPECT_EQ(fleet.submit(1, "a"), "queued 1");
  fleet.takes_back(2);
  EXPECT_EQ(fleet.said(), "unload 1: a on 0");
  EXPECT_EQ(fleet.node_state(0).health, Health::stable) << "the node is not to blame";
  fleet.unloaded(1);
  ASSERT_EQ(fleet.took.size(), 1U) << "who waits needs it again";
  fleet.loads(std::get<Load>(fleet.took[0]).token.value);
  EXPECT_EQ(fleet.said(), "grant 1 on 0");
}

TEST(Leak, is_not_looked_for_again_for_ten_minutes) {
  LeakyFleet fleet(1);
  fleet.submit(1, "a");
  fleet.silent_for(65, {1});
  fleet.takes_back(1);
  fleet.unloaded(1);
  fleet.has(0, {"a*"});
  EXPECT_EQ(fleet.submit(2, "a"), "on 0 (only_one)");
  EXPECT_EQ(fleet.silent_for(590, {2}), 0);
  EXPECT_EQ(fleet.silent_for(15, {2}), 1);
}

TEST(Leak, one_that_is_in_use_by_others_stays) {
  LeakyFleet fleet(1);
  fleet.submit(1, "a");
  fleet.silent_for(65, {1});
  fleet.takes_back(1);
  fleet.unloaded(1, false);
  EXPECT_TRUE(fleet.took.empty());
  EXPECT_EQ(fleet.submit(2, "a"), "on 0 (only_one)");
}

TEST(Leak, is_none_while_anything_is_answered) {
  LeakyFleet fleet(3);
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  EXPECT_EQ(fleet.silent_for(120, {1}), 0) << "the other one has had a byte";
  fleet.ends(2, 0);
  EXPECT_EQ(fleet.silent_for(50, {1}), 0) << "it may have begun only now";
  EXPECT_EQ(fleet.silent_for(15, {1}), 1);
}

TEST(Leak, an_answer_after_all_ends_the_suspicion) {
  LeakyFleet fleet(2);
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  EXPECT_EQ(fleet.silent_for(65, {1, 2}), 2);
  fleet.ends(1, 0);
  fleet.takes_back(2);
  EXPECT_EQ(fleet.said(), "");
  EXPECT_EQ(fleet.submit(3, "a"), "on 0 (only_one)");
}

TEST(Leak, is_none_while_the_node_loads_or_does_not_list_the_model) {
  LeakyFleet fleet(1);
  fleet.submit(1, "a");
  fleet.submit(2, "b");
  EXPECT_EQ(fleet.said(), "load 1: b on 0");
  EXPECT_EQ(fleet.silent_for(100, {1}), 0);
  fleet.loads(1);
  fleet.said();
  fleet.has(0, {"a", "b*"});
  EXPECT_EQ(fleet.silent_for(100, {1}), 0) << "it has to be loaded again for the request";
}

TEST(Leak, a_long_prompt_has_its_time) {
  LeakyFleet fleet(1);
  auto submission = fleet.ask(1, "a");
  submission.prompt.bytes = 100'000;  // some 25,000 tokens
  fleet.submit(submission);
  EXPECT_EQ(fleet.silent_for(1500, {1}), 0);
  EXPECT_EQ(fleet.silent_for(2000, {1}), 1);
}

TEST(Leak, is_not_looked_for_if_the_setting_says_so) {
  LeakyFleet fleet(1);
  SchedulerSettings settings;
  settings.leak.patience = Duration{0};
  fleet.scheduler.update_settings(settings);
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.silent_for(300, {1}), 0);
}

}  // namespace
}  // namespace drover::balance
