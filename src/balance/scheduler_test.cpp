// The scheduler as its events see it: who starts where, who waits, who is sent away.
#include "balance/scheduler.h"

#include <gtest/gtest.h>

#include "balance/node.h"
#include "balance/scheduler_fixture.h"

namespace drover::balance {
namespace {

using testing::by_counts;
using testing::Fleet;
using testing::milliseconds;
using testing::seconds;

// ---- slots and the line

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

TEST(Scheduler, counts_on_when_the_weights_of_a_model_become_known) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a=manifest*"});
  EXPECT_EQ(fleet.submit(1, "a"), "on 0 (only_one)");
  fleet.has(0, {"a=weights*", "b=weights"});
  EXPECT_EQ(fleet.submit(2, "b"), "queued 1");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
  fleet.ends(2, 0);
  EXPECT_EQ(fleet.node_state(0).runners.size(), 1U);
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

TEST(Scheduler, looks_at_the_first_sixteen_of_a_line_only) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 1);
    fleet.has(id, {"a*"});
    fleet.submit(id + 1, "a");
  }
  for (std::uint64_t id = 10; id < 26; ++id) {
    Submission choosy = fleet.ask(id, "a");
    choosy.pinned = NodeId{0};
    fleet.submit(choosy);
  }
  EXPECT_EQ(fleet.submit(30, "a"), "queued 17");
  fleet.ends(2, 1);
  EXPECT_EQ(fleet.said(), "");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 10 on 0; grant 30 on 1");
}

// ---- who is sent away

TEST(Scheduler, row_67_refuses_a_model_that_nobody_has) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  EXPECT_EQ(fleet.submit(1, "b"), "refused no_such_model");
}

TEST(Scheduler, row_1_refuses_when_every_holder_is_offline_waiting_requests_too) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  for (int i = 0; i < 3; ++i) fleet.probe_fails(0);
  EXPECT_EQ(fleet.said(),
            "0: stable to degraded (probes_failed); 0: degraded to offline (probes_failed); refuse 2 no_backend");
  EXPECT_EQ(fleet.submit(3, "a"), "refused no_backend");
  fleet.fails(1, 0, ErrorCode::reset);
  EXPECT_EQ(fleet.node_state(0).in_flight, 0U);
}

TEST(Scheduler, refuses_one_more_than_the_queue_holds) {
  SchedulerSettings settings = by_counts();
  settings.max_queue = 3;
  Fleet fleet(settings);
  fleet.node(0, 1);
  fleet.has(0, {"a*", "b*"});
  fleet.submit(1, "a");
  for (std::uint64_t id = 2; id <= 4; ++id) EXPECT_EQ(fleet.submit(id, "a"), fmt::format("queued {}", id - 1));
  EXPECT_EQ(fleet.submit(5, "a"), "refused queue_full");
  EXPECT_EQ(fleet.submit(6, "b"), "on 0 (only_one)") << "who need not wait does not need the queue";
}

TEST(Scheduler, says_when_to_come_back) {
  SchedulerSettings settings = by_counts();
  settings.max_queue = 10;
  Fleet fleet(settings);
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  std::uint64_t running = 1;
  fleet.submit(running, "a");
  for (std::uint64_t id = 2; id <= 11; ++id) fleet.submit(id, "a");
  for (; running <= 30; ++running) {  // one ends each second
    fleet.passes(seconds(1));
    fleet.ends(running, 0);
    fleet.submit(running + 11, "a");
  }
  Actions actions;
  const auto decision = fleet.scheduler.submit(fleet.ask(99, "a"), actions);
  const auto* refused = std::get_if<Refused>(&decision);
  ASSERT_NE(refused, nullptr);
  EXPECT_GE(refused->retry_after, seconds(8));  // eleven requests at one a second
  EXPECT_LE(refused->retry_after, seconds(20));
}

TEST(Scheduler, refuses_at_the_deadline_of_the_request_or_of_the_queue) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  Submission hasty = fleet.ask(2, "a");
  hasty.deadline = fleet.now + seconds(10);
  fleet.submit(hasty);
  fleet.submit(3, "a");
  fleet.passes(milliseconds(9999));
  EXPECT_EQ(fleet.said(), "");
  fleet.passes(milliseconds(1));
  EXPECT_EQ(fleet.said(), "refuse 2 deadline");
  fleet.passes(seconds(289));
  EXPECT_EQ(fleet.said(), "");
  fleet.passes(seconds(1));
  EXPECT_EQ(fleet.said(), "refuse 3 deadline");
  hasty.request = RequestId{4};
  hasty.now = fleet.now;
  EXPECT_EQ(fleet.submit(hasty), "refused deadline");
}

TEST(Scheduler, row_78_a_client_that_leaves_the_line_never_reaches_a_node) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  fleet.submit(3, "a");
  fleet.cancels(2);
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 3 on 0");
  fleet.cancels(2);  // unknown by now: no error
  EXPECT_EQ(fleet.scheduler.snapshot(fleet.now).waiting, 0U);
}

TEST(Scheduler, a_client_that_leaves_while_its_grant_is_on_the_way_frees_the_slot) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  fleet.submit(3, "a");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
  fleet.cancels(2);
  EXPECT_EQ(fleet.said(), "grant 3 on 0");
}

// ---- retries

TEST(Scheduler, a_retry_avoids_the_excluded_node) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 4);
    fleet.has(id, {"a*"});
  }
  EXPECT_EQ(fleet.submit(1, "a"), "on 0 (least_connections)");
  fleet.fails(1, 0, ErrorCode::connect_refused);
  const NodeId tried[] = {NodeId{0}};
  Submission again = fleet.ask(1, "a");
  again.excluded = tried;
  again.retry = RetryKind::lost_node;
  EXPECT_EQ(fleet.submit(again), "on 1 (only_one)");
  fleet.fails(1, 1, ErrorCode::connect_refused);
  const NodeId both[] = {NodeId{0}, NodeId{1}};
  again.excluded = both;
  EXPECT_EQ(fleet.submit(again), "refused no_backend");
}

TEST(Scheduler, a_request_whose_node_was_lost_returns_to_its_old_place_though_the_queue_is_full) {
  SchedulerSettings settings = by_counts();
  settings.max_queue = 2;
  Fleet fleet(settings);
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 1);
    fleet.has(id, {"a*"});
    fleet.submit(id + 1, "a");
  }
  Submission again = fleet.ask(1, "a");
  fleet.passes(seconds(1));
  fleet.submit(3, "a");
  fleet.submit(4, "a");
  for (int i = 0; i < 3; ++i) fleet.probe_fails(0);
  fleet.fails(1, 0, ErrorCode::reset);
  fleet.said();
  again.now = fleet.now;
  again.retry = RetryKind::lost_node;
  EXPECT_EQ(fleet.submit(again), "queued 1");
  EXPECT_EQ(fleet.submit(5, "a"), "refused queue_full");
  fleet.ends(2, 1);
  EXPECT_EQ(fleet.said(), "grant 1 on 1");
}

TEST(Scheduler, other_retries_count_against_the_budget_until_they_end) {
  Fleet fleet;
  fleet.node(0, 16);
  fleet.has(0, {"a*"});
  const auto retry = [&](std::uint64_t id) {
    Submission submission = fleet.ask(id, "a");
    submission.retry = RetryKind::budgeted;
    return fleet.submit(submission);
  };
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_EQ(retry(id), "on 0 (only_one)");
  EXPECT_EQ(retry(4), "refused budget_exhausted");
  fleet.ends(2, 0);
  EXPECT_EQ(retry(4), "on 0 (only_one)");
  for (const std::uint64_t id : {1U, 3U, 4U}) fleet.cancels(id);
  EXPECT_EQ(fleet.scheduler.snapshot(fleet.now).retries, 0U);
}

TEST(Scheduler, row_14_a_model_that_is_gone_is_not_asked_for_there_until_the_next_poll) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 4);
    fleet.has(id, {"a*", "b*"});
  }
  EXPECT_EQ(fleet.submit(1, "a"), "on 0 (least_connections)");
  fleet.fails(1, 0, ErrorCode::model_absent);
  EXPECT_EQ(fleet.said(), "") << "no harm to its health";
  for (std::uint64_t id = 2; id <= 4; ++id) EXPECT_EQ(fleet.submit(id, "a"), "on 1 (only_one)");
  EXPECT_EQ(fleet.submit(5, "b"), "on 0 (least_connections)");
  fleet.has(0, {"a*", "b*"});
  EXPECT_EQ(fleet.submit(6, "a"), "on 0 (least_connections)");
}

// ---- cold models

TEST(Scheduler, row_15_loads_a_cold_model_itself_and_lets_the_requests_wait) {
  Fleet fleet;
  fleet.node(0, 2);
  fleet.has(0, {"a"});
  EXPECT_EQ(fleet.submit(1, "a"), "queued 1");
  EXPECT_EQ(fleet.said(), "load 1: a on 0");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 2");
  EXPECT_EQ(fleet.submit(3, "a"), "queued 3");
  fleet.has(0, {"a"});  // a poll while it loads: not listed in memory yet
  EXPECT_EQ(fleet.said(), "");
  fleet.passes(std::chrono::minutes(2));
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "grant 1 on 0; grant 2 on 0");
}

TEST(Scheduler, the_load_goes_on_when_its_client_leaves) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a"});
  fleet.submit(1, "a");
  fleet.cancels(1);
  EXPECT_EQ(fleet.said(), "load 1: a on 0");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  EXPECT_EQ(fleet.said(), "");
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
}

TEST(Scheduler, loads_one_model_at_a_time_per_node) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a", "b"});
  fleet.submit(1, "a");
  fleet.submit(2, "b");
  EXPECT_EQ(fleet.said(), "load 1: a on 0");
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "grant 1 on 0; load 2: b on 0");
}

TEST(Scheduler, loads_a_second_copy_when_the_line_is_longer_than_the_slots) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.node(1, 1);
  fleet.has(1, {"a"});
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  EXPECT_EQ(fleet.said(), "");
  EXPECT_EQ(fleet.submit(3, "a"), "queued 2");
  EXPECT_EQ(fleet.said(), "load 1: a on 1");
}

TEST(Scheduler, loads_more_copies_at_a_time_where_many_nodes_have_the_model) {
  for (const auto& [nodes, loads] : {std::pair{8, 2}, {36, 3}, {100, 8}}) {
    Fleet fleet;
    for (int id = 0; id < nodes; ++id) {
      fleet.node(static_cast<std::uint64_t>(id), 1);
      fleet.has(static_cast<std::uint64_t>(id), {"a"});
    }
    for (std::uint64_t id = 1; id <= 15; ++id) fleet.submit(id, "a");
    const std::string said = fleet.said();
    EXPECT_EQ(std::ranges::count(said, ':'), loads) << nodes << " nodes: " << said;
  }
}

TEST(Scheduler, row_11_a_busy_load_queue_stops_loads_but_not_warm_models) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a", "b*"});
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.said(), "load 1: a on 0");
  fleet.load_fails(1, ErrorCode::server_busy);
  EXPECT_EQ(fleet.said(), "");
  EXPECT_EQ(fleet.node_state(0).health, Health::stable);
  EXPECT_TRUE(fleet.node_state(0).load_saturated);
  EXPECT_EQ(fleet.submit(2, "b"), "on 0 (only_one)");
  fleet.passes(seconds(9));
  EXPECT_EQ(fleet.said(), "");
  fleet.passes(seconds(1));
  EXPECT_EQ(fleet.said(), "load 2: a on 0");
}

TEST(Scheduler, row_11_a_busy_load_queue_shows_that_a_model_is_warm_no_more) {
  Fleet fleet;
  fleet.node(0, 2);
  fleet.has(0, {"a*", "b*"});
  fleet.submit(1, "a");
  fleet.fails(1, 0, ErrorCode::server_busy);
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  EXPECT_EQ(fleet.submit(3, "b"), "on 0 (only_one)");
  fleet.passes(seconds(10));
  EXPECT_EQ(fleet.said(), "load 1: a on 0");
}

TEST(Scheduler, row_11_who_runs_beside_one_that_met_a_busy_load_queue_may_stand_in_that_queue) {
  Fleet fleet;
  fleet.node(0, 3);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  fleet.fails(2, 0, ErrorCode::server_busy);
  EXPECT_EQ(fleet.submit(3, "a"), "queued 1") << "or else it would be refused again, at once";
  fleet.has(0, {"a*"});
  EXPECT_EQ(fleet.said(), "grant 3 on 0") << "the node says that it is there";

  fleet.passes(seconds(12));
  fleet.submit(4, "a");
  fleet.fails(4, 0, ErrorCode::server_busy);
  EXPECT_EQ(fleet.submit(5, "a"), "on 0 (only_one)") << "others are being answered";
}

TEST(Scheduler, row_111_a_failed_load_is_tried_on_another_node) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 1);
    fleet.has(id, {"a"});
  }
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.said(), "load 1: a on 0");
  fleet.load_fails(1, ErrorCode::runner_died);
  EXPECT_EQ(fleet.said(), "load 2: a on 1");
  fleet.load_fails(2, ErrorCode::runner_died);
  EXPECT_EQ(fleet.said(), "refuse 1 load_failed");
  EXPECT_EQ(fleet.submit(2, "a"), "refused load_failed");
  fleet.passes(seconds(10));
  EXPECT_EQ(fleet.submit(3, "a"), "queued 1");
  EXPECT_EQ(fleet.said(), "load 3: a on 0") << "after the cool-down it may be tried again";
}

TEST(Scheduler, a_long_load_keeps_other_models_away_so_that_the_node_can_evict) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a", "b*"});
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.submit(2, "b"), "on 0 (only_one)") << "most loads are short";
  fleet.passes(seconds(11));
  fleet.ends(2, 0);
  EXPECT_EQ(fleet.submit(3, "b"), "queued 1");
  fleet.has(0, {"a", "b"});  // b was evicted
  fleet.said();
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "grant 1 on 0");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "load 2: b in place of a on 0");
}

// ---- what makes room for a load

TEST(Scheduler, on_a_full_node_the_model_least_wanted_goes_by_name) {
  Fleet fleet;
  fleet.node(0, 1, 1, 2);
  fleet.has(0, {"a", "b*", "c*"});
  for (const std::string_view model : {"b", "c", "b"}) {
    fleet.submit(1, model);
    fleet.ends(1, 0);
    fleet.passes(seconds(10));
  }
  fleet.submit(2, "a");
  EXPECT_EQ(fleet.said(), "load 1: a in place of c on 0");
  EXPECT_EQ(fleet.submit(3, "c"), "queued 1") << "it is about to go";
  EXPECT_EQ(fleet.submit(4, "b"), "on 0 (only_one)") << "this one stays";
  fleet.has(0, {"a*", "b*", "c"});
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
  fleet.ends(2, 0);
  EXPECT_EQ(fleet.said(), "load 2: c in place of a on 0") << "b is wanted more often";
}

TEST(Scheduler, a_model_that_makes_room_ends_what_runs_there_and_gets_no_more) {
  Fleet fleet;
  fleet.node(0, 2, 1, 1);
  fleet.has(0, {"a", "b*"});
  EXPECT_EQ(fleet.submit(1, "b"), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  EXPECT_EQ(fleet.said(), "") << "the node would wait for b to become idle, and so does the gateway";
  EXPECT_EQ(fleet.node_state(0).loading->model, "a");
  EXPECT_EQ(fleet.submit(3, "b"), "queued 1") << "or else a would never be loaded";
  fleet.passes(std::chrono::minutes(1));
  EXPECT_EQ(fleet.said(), "");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "load 1: a in place of b on 0");
  fleet.has(0, {"a*", "b"});
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
}

TEST(Scheduler, nobody_is_told_a_longer_wait_than_anybody_may_wait) {
  SchedulerSettings settings = by_counts();
  settings.queue_timeout = seconds(10);
  Fleet fleet(settings);
  fleet.node(0, 1);
  fleet.has(0, {"m*"});
  std::uint64_t next = 1;
  const auto told = [&] {
    Actions ignored;
    const Decision decision = fleet.scheduler.submit(fleet.ask(next++, "m"), ignored);
    const auto* queued = std::get_if<Queued>(&decision);
    return queued == nullptr ? std::nullopt : queued->wait;
  };
  while (next <= 10) told();
  for (std::uint64_t ended = 1; ended <= 5; ++ended) {
    fleet.passes(seconds(1));
    fleet.ends(ended, 0);
  }
  const auto within = told();
  ASSERT_TRUE(within);
  EXPECT_LT(*within, settings.queue_timeout);
  while (next <= 60) told();
  EXPECT_EQ(told(), settings.queue_timeout);
}

TEST(Scheduler, a_model_for_which_others_wait_stays_a_while_once_it_is_loaded) {
  Fleet fleet;
  fleet.node(0, 1, 1, 1);
  fleet.has(0, {"a", "b"});
  for (std::uint64_t i = 1; i <= 20; ++i) fleet.submit(i, "a");
  fleet.has(0, {"a*", "b"});
  fleet.passes(seconds(2));
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "load 1: a on 0; grant 1 on 0");
  fleet.submit(30, "b");
  for (std::uint64_t i = 1; i < 8; ++i) {  // four times the load's 2 s
    EXPECT_FALSE(fleet.node_state(0).loading) << i;
    fleet.passes(seconds(1));
    fleet.ends(i, 0);
    EXPECT_EQ(fleet.said(), fmt::format("grant {} on 0", i + 1));
  }
  fleet.passes(seconds(1));
  ASSERT_TRUE(fleet.node_state(0).loading);
  EXPECT_EQ(fleet.node_state(0).loading->model, "b");
  fleet.ends(8, 0);
  EXPECT_EQ(fleet.said(), "load 2: b in place of a on 0");
}

TEST(Scheduler, a_model_for_which_nobody_waits_stays_no_while) {
  Fleet fleet;
  fleet.node(0, 1, 1, 1);
  fleet.has(0, {"a", "b"});
  fleet.submit(1, "a");
  fleet.has(0, {"a*", "b"});
  fleet.passes(seconds(2));
  fleet.loads(1);
  fleet.submit(2, "b");
  ASSERT_TRUE(fleet.node_state(0).loading);
  EXPECT_EQ(fleet.node_state(0).loading->model, "b");
}

TEST(Scheduler, a_load_that_nobody_waits_for_any_more_pushes_out_nothing) {
  Fleet fleet;
  fleet.node(0, 2, 1, 1);
  fleet.has(0, {"a", "b*"});
  fleet.submit(1, "b");
  fleet.submit(2, "a");
  fleet.submit(3, "b");
  fleet.cancels(2);
  fleet.passes(milliseconds(100));
  EXPECT_EQ(fleet.said(), "grant 3 on 0");
  EXPECT_FALSE(fleet.node_state(0).loading);
}

TEST(Scheduler, a_model_that_went_by_itself_makes_room_at_once) {
  Fleet fleet;
  fleet.node(0, 2, 1, 1);
  fleet.has(0, {"a", "b*"});
  fleet.submit(1, "b");
  fleet.submit(2, "a");
  fleet.fails(1, 0, ErrorCode::runner_died);
  EXPECT_EQ(fleet.said(), "load 1: a on 0");
}

TEST(Scheduler, a_load_that_waits_for_room_goes_elsewhere_when_the_node_fails) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) fleet.node(id, 2, 1, 1);
  fleet.has(0, {"a", "b*"});
  fleet.submit(1, "b");
  fleet.submit(2, "a");
  fleet.has(1, {"a"});
  fleet.scheduler.drain(NodeId{0}, true, fleet.now, fleet.actions());
  fleet.passes(milliseconds(100));
  EXPECT_EQ(fleet.said(), "load 2: a on 1");
}

// Nobody says how much memory a node has.
TEST(Scheduler, learns_how_many_models_a_node_holds_at_once) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a", "b*", "c"});
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.said(), "load 1: a on 0") << "there may be room";
  fleet.has(0, {"a*", "b", "c"});
  fleet.loads(1);
  fleet.ends(1, 0);
  fleet.said();
  fleet.passes(seconds(1));
  fleet.submit(2, "b");
  EXPECT_EQ(fleet.said(), "load 2: b in place of a on 0") << "the other way round it will be the same";
  fleet.has(0, {"a", "b*", "c"});
  fleet.loads(2);
  fleet.ends(2, 0);
  fleet.said();
  fleet.passes(MostLoaded::kHolds);
  fleet.submit(3, "c");
  EXPECT_EQ(fleet.said(), "load 3: c on 0") << "it may have been otherwise: the node decides, and shows it";
  fleet.has(0, {"a", "b*", "c*"});
  fleet.loads(3);
  fleet.ends(3, 0);
  fleet.said();
  fleet.submit(4, "a");
  EXPECT_EQ(fleet.said(), "load 4: a on 0") << "it holds two at least";
  fleet.has(0, {"a*", "b", "c*"});
  fleet.passes(seconds(5));
  fleet.loads(4);
  fleet.ends(4, 0);
  fleet.said();
  fleet.passes(seconds(1));
  fleet.submit(5, "b");
  EXPECT_EQ(fleet.said(), "load 5: b in place of c on 0") << "and no more";
}

TEST(Scheduler, a_dead_runner_is_loaded_again_before_it_is_used) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  fleet.fails(1, 0, ErrorCode::runner_died);
  EXPECT_EQ(fleet.said(), "load 1: a on 0");
}

// ---- reload options

Submission with_options(Submission submission, std::uint64_t fingerprint) {
  submission.need = {fingerprint};
  return submission;
}

TEST(Scheduler, reloads_an_idle_runner_for_other_options) {
  Fleet fleet;
  fleet.node(0, 2);
  fleet.has(0, {"a*"});
  EXPECT_EQ(fleet.submit(with_options(fleet.ask(1, "a"), 8)), "queued 1");
  EXPECT_EQ(fleet.said(), "load 1: a with 8 on 0");
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "grant 1 on 0");
  EXPECT_EQ(fleet.submit(with_options(fleet.ask(2, "a"), 8)), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(3, "a"), "queued 1") << "the defaults would be a reload, too";
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "");
  fleet.ends(2, 0);
  EXPECT_EQ(fleet.said(), "load 2: a on 0");
}

TEST(Scheduler, serves_sixteen_more_with_the_old_options_and_then_reloads) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  EXPECT_EQ(fleet.submit(with_options(fleet.ask(100, "a"), 8)), "queued 1");
  std::uint64_t running = 1;
  int served = 0;
  for (std::uint64_t id = 2; id < 40; ++id) {
    fleet.submit(id, "a");
    fleet.ends(running, 0);
    const std::string said = fleet.said();
    if (said == "load 1: a with 8 on 0") break;
    ASSERT_EQ(said, fmt::format("grant {} on 0", id));
    running = id;
    ++served;
  }
  EXPECT_EQ(served, 16);
  fleet.loads(1);
  EXPECT_EQ(fleet.said(), "grant 100 on 0");
}

TEST(Scheduler, a_claim_ends_with_its_claimant) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  fleet.submit(with_options(fleet.ask(100, "a"), 8));
  std::uint64_t running = 1;
  for (std::uint64_t id = 2; id <= 17; ++id) {
    fleet.submit(id, "a");
    fleet.ends(running, 0);
    running = id;
  }
  fleet.submit(18, "a");
  fleet.said();
  fleet.cancels(100);
  fleet.ends(17, 0);
  EXPECT_EQ(fleet.said(), "grant 18 on 0");
}

TEST(Scheduler, loads_other_options_on_another_node_rather_than_dropping_these) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  fleet.node(1, 1);
  fleet.has(1, {"a"});
  fleet.submit(with_options(fleet.ask(1, "a"), 8));
  EXPECT_EQ(fleet.said(), "load 1: a with 8 on 1");
}

// ---- context

Submission for_tokens(Submission submission, std::uint64_t context) {
  submission.need.context = context;
  return submission;
}

TEST(Scheduler, runs_on_a_runner_with_enough_context_and_says_what_keeps_it) {
  Fleet fleet;
  fleet.node(0, 8);
  fleet.has(0, {"a"});
  fleet.submit(1, "a");
  fleet.said();
  fleet.loads(1, 4096);
  EXPECT_EQ(fleet.said(), "grant 1 on 0");
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(2, "a"), 2048)), "on 0 (only_one) saying nothing");
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(3, "a"), 4096)), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(4, "a"), 8192)), "queued 1") << "it waits until the runner is idle";
  for (std::uint64_t id = 1; id <= 3; ++id) fleet.ends(id, 0);
  EXPECT_EQ(fleet.said(), "load 2: a for 8192 tokens on 0");
  fleet.submit(for_tokens(fleet.ask(5, "a"), 6000));
  fleet.loads(2, 8192);
  EXPECT_EQ(fleet.said(), "grant 4 on 0; grant 5 on 0 saying 8192");
}

TEST(Scheduler, goes_where_a_runner_has_enough_context_whatever_the_policy_would_choose) {
  for (std::size_t policy = 0; policy + 1 < kPolicyNames.size(); ++policy) {
    SchedulerSettings settings;
    settings.policy = static_cast<PolicyKind>(policy);
    Fleet fleet(settings);
    for (std::uint64_t id = 0; id < 3; ++id) fleet.node(id, 4);
    fleet.has(0, {"a*4096"});
    fleet.has(1, {"a*16384"});
    fleet.has(2, {"a*4096"});
    for (std::uint64_t id = 1; id <= 4; ++id) {
      const std::string on = fleet.submit(for_tokens(fleet.ask(id, "a"), 8192));
      EXPECT_TRUE(on.starts_with("on 1 (") && on.ends_with(" saying 16384")) << kPolicyNames[policy] << ": " << on;
    }
  }
}

TEST(Scheduler, a_load_for_a_context_takes_the_nodes_own_where_that_is_known_to_be_enough) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a"});
  fleet.submit(for_tokens(fleet.ask(1, "a"), 2048));
  EXPECT_EQ(fleet.said(), "load 1: a for 2048 tokens on 0") << "nobody knows what the node would give";
  fleet.loads(1, 2048);
  fleet.ends(1, 0);
  fleet.submit(2, "a");
  fleet.said();
  fleet.loads(2, 4096);
  fleet.ends(2, 0);
  fleet.passes(seconds(1));
  fleet.has(0, {"a"});  // it was unloaded
  fleet.said();
  fleet.submit(for_tokens(fleet.ask(3, "a"), 2048));
  EXPECT_EQ(fleet.said(), "load 3: a on 0");
  fleet.loads(3, 4096);
  EXPECT_EQ(fleet.said(), "grant 3 on 0 saying nothing");
}

TEST(Scheduler, who_has_a_load_of_its_own_starts_when_it_ends_however_many_came_before_it_meanwhile) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*4096"});
  Submission special = for_tokens(fleet.ask(1, "a"), 8192);
  special.priority = Priority::low;
  fleet.submit(special);
  EXPECT_EQ(fleet.said(), "load 1: a for 8192 tokens on 0");
  for (std::uint64_t id = 2; id <= 40; ++id) fleet.submit(id, "a");
  fleet.loads(1, 8192);
  EXPECT_EQ(fleet.said(), "grant 1 on 0") << "or the load was for nobody";
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "load 2: a on 0");
}

TEST(Scheduler, after_a_refused_load_another_context_is_somebody_elses) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a"});
  fleet.submit(for_tokens(fleet.ask(1, "a"), 8192));
  fleet.loads(1, 8192);
  fleet.ends(1, 0);
  fleet.submit(for_tokens(fleet.ask(2, "a"), 16384));
  fleet.load_fails(2, ErrorCode::server_busy);
  fleet.cancels(2);
  fleet.passes(seconds(11));
  fleet.has(0, {"a*4096"});
  fleet.said();
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(3, "a"), 8192)), "queued 1") << "4096 is not all that the model has";
  EXPECT_EQ(fleet.said(), "load 3: a for 8192 tokens on 0");
}

TEST(Scheduler, waits_for_a_load_that_brings_enough_context) {
  Fleet fleet;
  fleet.node(0, 8);
  fleet.has(0, {"a"});
  fleet.submit(for_tokens(fleet.ask(1, "a"), 8192));
  fleet.submit(for_tokens(fleet.ask(2, "a"), 4096));
  fleet.submit(for_tokens(fleet.ask(3, "a"), 16384));
  EXPECT_EQ(fleet.said(), "load 1: a for 8192 tokens on 0");
  fleet.loads(1, 8192);
  EXPECT_EQ(fleet.said(), "grant 1 on 0; grant 2 on 0 saying 8192");
  fleet.ends(1, 0);
  fleet.ends(2, 0);
  EXPECT_EQ(fleet.said(), "load 2: a for 16384 tokens on 0");
}

TEST(Scheduler, does_not_load_again_for_what_the_model_does_not_have) {
  Fleet fleet;
  fleet.node(0, 8);
  fleet.has(0, {"a"});
  fleet.submit(for_tokens(fleet.ask(1, "a"), 1'000'000));
  fleet.said();
  fleet.loads(1, 32768);
  fleet.said();
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(2, "a"), 500'000)), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(3, "a"), 2'000'000)), "on 0 (only_one)");
}

TEST(Scheduler, a_context_that_changed_behind_its_back_is_somebody_elses_load) {
  Fleet fleet;
  fleet.node(0, 8);
  fleet.has(0, {"a"});
  fleet.submit(1, "a");
  fleet.said();
  fleet.loads(1, 4096);
  fleet.ends(1, 0);
  fleet.passes(seconds(5));
  fleet.has(0, {"a*16384"});
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(2, "a"), 8192)), "on 0 (only_one) saying 16384");
}

TEST(Scheduler, as_sent_a_context_is_an_option_like_others) {
  SchedulerSettings settings;
  settings.routes = {{.model = "a", .context = ContextRule::as_sent}};
  Fleet fleet(settings);
  fleet.node(0, 8);
  fleet.has(0, {"a*4096"});
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(1, "a"), 2048)), "queued 1");
  EXPECT_EQ(fleet.said(), "load 1: a for 2048 tokens on 0");
  fleet.loads(1, 2048);
  EXPECT_EQ(fleet.said(), "grant 1 on 0");
  EXPECT_EQ(fleet.submit(for_tokens(fleet.ask(2, "a"), 1024)), "queued 1");
}

// ---- health

TEST(Scheduler, ejects_a_failing_node_and_moves_on) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 8);
    fleet.has(id, {"a*"});
  }
  std::uint64_t id = 1;
  int failures = 0;
  for (; fleet.node_state(0).health != Health::offline; ++id) {
    ASSERT_LT(id, 12U);
    if (fleet.submit(id, "a") != "on 0 (least_connections)") continue;
    fleet.fails(id, 0, ErrorCode::connect_refused);
    ++failures;
  }
  EXPECT_EQ(failures, 3);
  EXPECT_EQ(fleet.submit(id, "a"), "on 1 (only_one)");
}

TEST(Scheduler, never_ejects_the_last_capable_node_for_its_requests) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 8);
    fleet.has(id, id == 0 ? std::vector<std::string>{"a*", "b*"} : std::vector<std::string>{"a*"});
  }
  for (std::uint64_t id = 1; id <= 10; ++id) {
    EXPECT_EQ(fleet.submit(id, "b"), "on 0 (only_one)");
    fleet.fails(id, 0, ErrorCode::connect_refused);
  }
  EXPECT_EQ(fleet.node_state(0).health, Health::degraded);
  EXPECT_EQ(fleet.node_state(0).why, HealthReason::last_capable);
}

TEST(Scheduler, row_114_a_recovering_node_gets_one_request_then_ever_more_of_its_slots) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 8);
    fleet.has(id, {"a*"});
  }
  for (int i = 0; i < 3; ++i) fleet.probe_fails(0);
  std::uint64_t id = 1;
  for (; id <= 40; ++id) fleet.submit(id, "a");
  EXPECT_EQ(fleet.node_state(1).in_flight, 8U);
  fleet.said();
  fleet.probe_passes(0);
  fleet.probe_passes(0);
  EXPECT_EQ(fleet.said(), "0: offline to recovering (probes_passed); grant 9 on 0");
  fleet.ends(9, 0);
  EXPECT_EQ(fleet.node_state(0).in_flight, 2U);
  fleet.passes(seconds(1));
  EXPECT_EQ(fleet.node_state(0).in_flight, 3U);
  fleet.passes(seconds(3));
  EXPECT_EQ(fleet.node_state(0).in_flight, 7U);
  fleet.passes(seconds(1));
  EXPECT_EQ(fleet.node_state(0).in_flight, 8U);
}

TEST(Scheduler, requests_that_hang_since_an_outage_do_not_block_the_recovery) {
  Fleet fleet;
  fleet.node(0, 4);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  for (int i = 0; i < 3; ++i) fleet.probe_fails(0);
  for (int i = 0; i < 2; ++i) fleet.probe_passes(0);
  EXPECT_EQ(fleet.node_state(0).health, Health::recovering);
  EXPECT_EQ(fleet.submit(3, "a"), "on 0 (only_one)");
  fleet.fails(1, 0, ErrorCode::response_timed_out);
  EXPECT_EQ(fleet.node_state(0).health, Health::recovering) << "old news";
  EXPECT_EQ(fleet.submit(4, "a"), "queued 1") << "one at a time";
  fleet.ends(3, 0);
  EXPECT_EQ(fleet.node_state(0).in_flight, 2U);
}

SchedulerSettings with_trials() {
  SchedulerSettings settings = by_counts();
  settings.health.trial = true;
  return settings;
}
constexpr std::uint64_t kOwn = kFirstOwnRequest.value;

TEST(Scheduler, row_107_a_trial_of_its_own_begins_a_recovery) {
  Fleet fleet(with_trials());
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 12);
    fleet.has(id, {"a*"});
  }
  for (int i = 0; i < 3; ++i) fleet.probe_fails(0);
  for (std::uint64_t id = 1; id <= 30; ++id) fleet.submit(id, "a");
  fleet.said();
  fleet.probe_passes(0);
  fleet.probe_passes(0);
  EXPECT_EQ(fleet.said(), "0: offline to recovering (probes_passed); trial 0: a on 0");
  fleet.passes(seconds(1));
  EXPECT_EQ(fleet.said(), "") << "nobody else before it has ended";
  fleet.ends(kOwn, 0);
  EXPECT_EQ(fleet.said(), "grant 13 on 0; grant 14 on 0");
}

TEST(Scheduler, a_trial_that_fails_spares_the_clients) {
  Fleet fleet(with_trials());
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 4);
    fleet.has(id, {"a*"});
  }
  for (std::uint64_t id = 1; fleet.node_state(0).health != Health::offline; ++id) {
    if (fleet.submit(id, "a") == "on 0 (least_connections)") fleet.fails(id, 0, ErrorCode::connect_refused);
  }
  fleet.said();
  fleet.passes(seconds(5));
  EXPECT_EQ(fleet.said(), "0: offline to recovering (interval_over); trial 0: a on 0");
  fleet.fails(kOwn, 0, ErrorCode::protocol);
  EXPECT_EQ(fleet.said(), "0: recovering to offline (requests_failed)");
  fleet.passes(seconds(9));
  EXPECT_EQ(fleet.said(), "");
  fleet.passes(seconds(1));
  EXPECT_EQ(fleet.said(), "0: offline to recovering (interval_over); trial 1: a on 0");
  fleet.ends(kOwn + 1, 0, {.kind = Outcome::Kind::client_cancelled});
  EXPECT_EQ(fleet.said(), "");
  EXPECT_EQ(fleet.node_state(0).health, Health::recovering) << "it said nothing: the next request shows";
}

TEST(Scheduler, a_trial_never_loads_a_model_nor_takes_a_slot_that_is_not_there) {
  Fleet fleet(with_trials());
  fleet.node(0, 1);
  fleet.has(0, {"a", "b*"});
  EXPECT_EQ(fleet.submit(1, "b"), "on 0 (only_one)");
  const auto tried = [&] {
    Actions actions;
    return fleet.scheduler.try_node(NodeId{0}, fleet.now, actions);
  };
  EXPECT_FALSE(tried());
  fleet.ends(1, 0);
  EXPECT_TRUE(tried());
  EXPECT_EQ(fleet.submit(2, "b"), "queued 1");
  fleet.ends(kOwn, 0);
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
  fleet.ends(2, 0);
  for (int i = 0; i < 3; ++i) fleet.probe_fails(0);
  EXPECT_FALSE(tried()) << "offline";
}

// ---- the fleet changes

TEST(Scheduler, row_95_a_removed_node_finishes_what_it_runs_and_gets_nothing_new) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 2);
    fleet.has(id, {"a*"});
  }
  fleet.submit(1, "a");
  Actions actions;
  fleet.scheduler.remove_node(NodeId{0}, fleet.now, actions);
  EXPECT_EQ(fleet.submit(2, "a"), "on 1 (only_one)");
  EXPECT_EQ(fleet.submit(3, "a"), "on 1 (only_one)");
  EXPECT_EQ(fleet.submit(4, "a"), "queued 1");
  EXPECT_EQ(fleet.node_state(0).in_flight, 1U);
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.scheduler.snapshot(fleet.now).nodes.size(), 1U);
  EXPECT_EQ(fleet.said(), "");
}

TEST(Scheduler, a_node_that_comes_back_still_counts_what_runs_there) {
  Fleet fleet;
  fleet.node(0, 2);
  fleet.has(0, {"a*"});
  fleet.submit(1, "a");
  Actions actions;
  fleet.scheduler.remove_node(NodeId{0}, fleet.now, actions);
  EXPECT_EQ(fleet.submit(2, "a"), "refused no_such_model");
  fleet.node(0, 2);
  fleet.has(0, {"a*"});
  EXPECT_EQ(fleet.submit(3, "a"), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(4, "a"), "queued 1");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.said(), "grant 4 on 0");
}

TEST(Scheduler, a_draining_node_gets_nothing_new_until_the_drain_ends) {
  Fleet fleet;
  for (std::uint64_t id = 0; id < 2; ++id) {
    fleet.node(id, 1);
    fleet.has(id, {"a*"});
  }
  Actions actions;
  fleet.scheduler.drain(NodeId{0}, true, fleet.now, actions);
  EXPECT_EQ(fleet.submit(1, "a"), "on 1 (only_one)");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  fleet.scheduler.drain(NodeId{0}, false, fleet.now, actions);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(std::get<Grant>(actions[0]).node, NodeId{0});
}

TEST(Scheduler, own_knowledge_leads_and_polls_correct) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a"});
  const Mono asked = fleet.now;
  const ModelOnNode cold{.model = "a", .runner = RunnerKey{1}};
  Actions actions;
  fleet.submit(1, "a");
  fleet.passes(seconds(1));
  fleet.loads(1);
  fleet.ends(1, 0);
  fleet.scheduler.observe_inventory(NodeId{0}, {&cold, 1}, asked, fleet.now, actions);
  EXPECT_EQ(fleet.submit(2, "a"), "on 0 (only_one)") << "that poll was sent before the load ended";
  fleet.scheduler.observe_inventory(NodeId{0}, {&cold, 1}, fleet.now, fleet.now, actions);
  fleet.ends(2, 0);
  EXPECT_EQ(fleet.submit(3, "a"), "on 0 (only_one)") << "a request was running there";
  fleet.ends(3, 0);
  fleet.scheduler.observe_inventory(NodeId{0}, {&cold, 1}, fleet.now, fleet.now, actions);
  EXPECT_EQ(fleet.submit(4, "a"), "queued 1");
}

TEST(Scheduler, a_model_deleted_everywhere_sends_away_who_waits_for_it) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a*", "b*"});
  fleet.submit(1, "a");
  fleet.submit(2, "a");
  fleet.has(0, {"b*"});
  EXPECT_EQ(fleet.said(), "refuse 2 no_backend");
  EXPECT_EQ(fleet.submit(3, "a"), "refused no_such_model");
  fleet.ends(1, 0);
  EXPECT_EQ(fleet.scheduler.snapshot(fleet.now).models.size(), 1U);
}

TEST(Scheduler, learns_slots_from_the_answers) {
  Fleet fleet;
  Actions actions;
  fleet.scheduler.update_node({.id = NodeId{0}}, fleet.now, actions);
  fleet.probe_passes(0);
  fleet.has(0, {"a*"});
  EXPECT_EQ(fleet.submit(1, "a"), "on 0 (only_one)");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  EXPECT_EQ(fleet.submit(3, "a"), "queued 2");
  fleet.said();
  fleet.passes(seconds(2));
  fleet.scheduler.finished(RequestId{1}, NodeId{0}, {},
                           NodeDurations{.total = seconds(2), .prompt_eval = seconds(1), .eval = seconds(1)}, fleet.now,
                           actions);
  EXPECT_EQ(fleet.node_state(0).runners.at(0).slots, 2U);
  EXPECT_EQ(fleet.node_state(0).in_flight, 2U) << "both who waited were started";
}

TEST(Scheduler, shows_who_waits_and_for_how_long) {
  SchedulerSettings settings = by_counts();
  settings.tenants = {{.name = "alice", .weight = 2}};
  Fleet fleet(settings);
  fleet.node(0, 1);
  fleet.has(0, {"a*"});
  std::uint64_t next = 1;
  const auto ask = [&](std::string_view tenant) {
    Submission submission = fleet.ask(next++, "a");
    submission.tenant = tenant;
    fleet.submit(submission);
  };
  for (const std::string_view tenant : {"", "alice", "bob", "bob"}) ask(tenant);
  Snapshot snapshot = fleet.scheduler.snapshot(fleet.now);
  ASSERT_EQ(snapshot.tenants.size(), 2U);
  EXPECT_EQ(snapshot.tenants[0].name, "alice");
  EXPECT_EQ(snapshot.tenants[0].weight, 2);
  EXPECT_EQ(snapshot.tenants[0].waiting, 1U);
  EXPECT_EQ(snapshot.tenants[1].name, "bob");
  EXPECT_EQ(snapshot.tenants[1].waiting, 2U);
  EXPECT_FALSE(snapshot.models.at(0).wait) << "nothing is known of its pace yet";

  std::uint64_t running = 1;
  for (int ended = 0; ended < 20; ++ended) {  // one a second
    ask("");
    fleet.passes(seconds(1));
    fleet.ends(running, 0);
    running = std::stoull(fleet.said().substr(std::string_view("grant ").size()));
  }
  snapshot = fleet.scheduler.snapshot(fleet.now);
  ASSERT_TRUE(snapshot.models.at(0).wait);
  EXPECT_NEAR(drover::seconds(*snapshot.models[0].wait), static_cast<double>(snapshot.models[0].waiting), 2);
}

TEST(Scheduler, shows_its_state) {
  Fleet fleet;
  fleet.node(0, 1);
  fleet.has(0, {"a=w*", "b=w", "c"});
  fleet.submit(1, "a");
  fleet.submit(2, "b");
  fleet.submit(3, "c");
  const Snapshot snapshot = fleet.scheduler.snapshot(fleet.now);
  EXPECT_EQ(snapshot.in_flight, 1U);
  EXPECT_EQ(snapshot.waiting, 2U);
  EXPECT_EQ(snapshot.retry_limit, 3U);
  ASSERT_EQ(snapshot.models.size(), 3U);
  EXPECT_EQ(snapshot.models[1].model, "b");
  EXPECT_EQ(snapshot.models[1].waiting, 1U);
  EXPECT_EQ(snapshot.models[1].oldest, fleet.now);
  const NodeSnapshot& node = snapshot.nodes.at(0);
  EXPECT_EQ(node.waiting, 2U);
  EXPECT_EQ(node.loading.value().model, "c");
  ASSERT_EQ(node.runners.size(), 2U);
  EXPECT_EQ(node.runners[0].models, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(node.runners[0].in_flight, 1U);
  EXPECT_TRUE(node.runners[0].resident);
  EXPECT_FALSE(node.runners[1].resident);
}

// ---- snapshots

TEST(Scheduler, a_snapshot_in_parts_has_all_nodes_and_models_once) {
  Fleet fleet;
  for (const std::uint64_t id : {1UZ, 2UZ, 3UZ}) {
    fleet.node(id, 1);
    fleet.has(id, {"a*", "b=a*", "c"});
  }
  EXPECT_EQ(fleet.submit(1, "a"), "on 1 (least_connections)");
  const Snapshot whole = fleet.scheduler.snapshot(fleet.now);
  for (const std::size_t most : {1UZ, 2UZ, 5UZ}) {
    Snapshot parts;
    while (fleet.scheduler.add_to(parts, most, fleet.now)) {
    }
    ASSERT_EQ(parts.nodes.size(), 3U) << most;
    ASSERT_EQ(parts.models.size(), 3U) << most;
    EXPECT_EQ(parts.in_flight, whole.in_flight);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(parts.nodes[i].id, whole.nodes[i].id);
      EXPECT_EQ(parts.nodes[i].runners.at(0).models, (std::vector<std::string>{"a", "b"}));
      EXPECT_EQ(parts.models[i].model, whole.models[i].model);
    }
  }
}

// ---- routes

TEST(Scheduler, a_route_decides_who_may_serve_its_models) {
  SchedulerSettings settings = by_counts();
  settings.routes = {{.model = "b*", .policy = PolicyKind::round_robin, .nodes = {"node-2"}}};
  Fleet fleet(settings);
  fleet.node(1, 4);
  fleet.node(2, 4);
  fleet.has(1, {"a*", "b*"});
  fleet.has(2, {"a*", "b*"});
  EXPECT_EQ(fleet.submit(1, "b"), "on 2 (only_one)");
  EXPECT_EQ(fleet.submit(2, "b"), "on 2 (only_one)");
  EXPECT_EQ(fleet.submit(3, "a"), "on 1 (least_connections)");
}

TEST(Scheduler, a_manual_route_holds_for_its_node_and_takes_the_next_when_that_is_down) {
  SchedulerSettings settings = by_counts();
  settings.routes = {{.model = "a", .policy = PolicyKind::manual, .nodes = {"node-2", "node-1"}}};
  Fleet fleet(settings);
  for (const std::uint64_t id : {1UZ, 2UZ, 3UZ}) {
    fleet.node(id, 1);
    fleet.has(id, {"a*"});
  }
  EXPECT_EQ(fleet.submit(1, "a"), "on 2 (manual)");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1") << "others are free, and are not asked";
  fleet.ends(1, 2);
  EXPECT_EQ(fleet.said(), "grant 2 on 2");
  for (int i = 0; i < 3; ++i) fleet.probe_fails(2);
  fleet.said();
  EXPECT_EQ(fleet.submit(3, "a"), "on 1 (manual)");
}

TEST(Scheduler, a_route_that_comes_sends_away_who_has_nowhere_to_go) {
  Fleet fleet;
  fleet.node(1, 1);
  fleet.has(1, {"a*"});
  EXPECT_EQ(fleet.submit(1, "a"), "on 1 (only_one)");
  EXPECT_EQ(fleet.submit(2, "a"), "queued 1");
  SchedulerSettings settings = by_counts();
  settings.routes = {{.model = "a", .nodes = {"node-9"}}};
  fleet.scheduler.update_settings(settings);
  Actions actions;
  fleet.scheduler.update_node({.id = NodeId{1}, .name = "node-1", .slots = {.fixed = 1}}, fleet.now, actions);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(std::get<Refuse>(actions[0]).request, RequestId{2});
  EXPECT_EQ(fleet.submit(3, "a"), "refused no_backend");

  fleet.scheduler.update_node({.id = NodeId{1}, .name = "node-9", .slots = {.fixed = 2}}, fleet.now, actions);
  EXPECT_EQ(fleet.submit(4, "a"), "on 1 (only_one)") << "the node has the name of the route now";
}

TEST(Scheduler, a_long_line_is_worth_a_further_copy_even_if_a_node_has_many_slots) {
  Fleet fleet;
  fleet.node(1, 20);
  fleet.node(2, 20);
  fleet.has(1, {"a*"});
  fleet.has(2, {"a"});
  std::uint64_t next = 1;
  for (; next <= 20; ++next) fleet.submit(next, "a");
  for (; next <= 40; ++next) fleet.submit(next, "a");
  EXPECT_EQ(fleet.said(), "") << "each of those that wait gets a slot within one request's time";
  fleet.submit(next, "a");
  fleet.ends(1, 1);
  EXPECT_EQ(fleet.said(), "grant 21 on 1");
  fleet.submit(++next, "a");
  fleet.submit(++next, "a");
  fleet.ends(2, 1);
  EXPECT_EQ(fleet.said(), "grant 22 on 1; load 1: a on 2");
}

}  // namespace
}  // namespace drover::balance
