#include "balance/decision_log.h"

#include <gtest/gtest.h>

#include "balance/scheduler_fixture.h"

namespace drover::balance {
namespace {

using testing::by_counts;
using testing::Fleet;
using testing::milliseconds;
using testing::seconds;

DecisionSearch search(const Fleet& fleet, std::string name, std::size_t at_once = 1000) {
  DecisionSearch search{.name = std::move(name)};
  while (fleet.scheduler.look(search, at_once)) {
  }
  return search;
}

// The last decision about the request.
DecisionRecord last(const Fleet& fleet, std::string_view name) {
  const DecisionSearch done = search(fleet, std::string(name));
  EXPECT_FALSE(done.found.empty()) << name;
  return done.found.empty() ? DecisionRecord{} : done.found.front();
}

Submission ask(const Fleet& fleet, std::uint64_t request, std::string_view name) {
  Submission submission = fleet.ask(request, "m");
  submission.name = name;
  return submission;
}

NodeDurations took(Duration prompt, Duration answer) {
  return {.total = prompt + answer, .prompt_eval = prompt, .eval = answer, .prompt_tokens = 1000, .eval_tokens = 100};
}

// Two nodes that have the model in memory, of which the second one has shown to be three times as fast.
void teach(Fleet& fleet) {
  for (std::uint64_t id : {1U, 2U}) {
    fleet.node(id, 1);
    fleet.has(id, {"m*"});
  }
  for (std::uint64_t request = 1000; request < 1010; ++request) {
    const std::uint64_t id = 1 + request % 2;
    Submission submission = fleet.ask(request, "m");
    submission.pinned = NodeId{id};
    fleet.submit(submission);
    fleet.passes(seconds(1));
    fleet.answers(request, id, id == 1 ? took(seconds(3), seconds(3)) : took(seconds(1), seconds(1)));
  }
}

TEST(DecisionLog, says_what_the_candidates_were_and_which_was_chosen) {
  Fleet fleet{SchedulerSettings{}};
  teach(fleet);
  Submission submission = ask(fleet, 1, "one");
  submission.prompt = {.bytes = 4000};
  EXPECT_EQ(fleet.submit(submission), "on 2 (earliest_finish)");

  const DecisionRecord record = last(fleet, "one");
  EXPECT_EQ(record.state, DecisionRecord::State::running);
  EXPECT_EQ(record.model.view(), "m");
  EXPECT_EQ(record.policy, PolicyKind::earliest_finish);
  EXPECT_EQ(record.reason, "earliest_finish");
  EXPECT_EQ(record.usable, 2U);
  ASSERT_EQ(record.seen().size(), 2U);
  const Option& other = record.seen()[0];
  const Option* chosen = record.chosen();
  ASSERT_EQ(chosen, &record.seen()[1]);
  EXPECT_EQ(chosen->node, NodeId{2});
  EXPECT_EQ(chosen->readiness, Readiness::ready);
  EXPECT_EQ(other.readiness, Readiness::ready);
  const Estimate faster = chosen->estimate(record.work), slower = other.estimate(record.work);
  EXPECT_NEAR(slower.prompt / faster.prompt, 3, 0.3);
  EXPECT_NEAR(slower.answer / faster.answer, 3, 0.3);
  EXPECT_LT(2 * cost(faster, chosen->weight, record.goal), cost(slower, other.weight, record.goal));
}

TEST(DecisionLog, says_what_came_of_it) {
  Fleet fleet{SchedulerSettings{}};
  teach(fleet);
  fleet.submit(ask(fleet, 1, "one"));
  const Mono began = fleet.now;
  fleet.passes(seconds(3));
  fleet.answers(1, 2, took(seconds(1), seconds(2)));
  const DecisionRecord record = last(fleet, "one");
  EXPECT_EQ(record.state, DecisionRecord::State::ended);
  EXPECT_EQ(record.outcome.kind, Outcome::Kind::ok);
  EXPECT_EQ(record.started, began);
  EXPECT_EQ(record.ended, fleet.now);
  EXPECT_EQ(record.durations->eval, seconds(2));
  ASSERT_NE(record.chosen(), nullptr);
  EXPECT_EQ(record.chosen()->node, NodeId{2});
}

TEST(DecisionLog, tells_the_client_what_is_expected) {
  Fleet fleet{SchedulerSettings{}};
  teach(fleet);
  Actions actions;
  const auto start = std::get<Start>(fleet.scheduler.submit(ask(fleet, 1, "one"), actions));
  const DecisionRecord record = last(fleet, "one");
  EXPECT_NEAR(drover::seconds(start.expected), record.chosen()->estimate(record.work).work(), 1e-6);

  Fleet counting;
  counting.node(1, 1);
  counting.has(1, {"m*"});
  EXPECT_EQ(std::get<Start>(counting.scheduler.submit(counting.ask(1, "m"), actions)).expected, Duration{0});
}

TEST(DecisionLog, of_one_that_waited_has_what_it_was_told_and_why_it_started_then) {
  Fleet fleet;
  for (std::uint64_t id : {1U, 2U}) {
    fleet.node(id, 1);
    fleet.has(id, {"m*"});
    fleet.submit(id, "m");
  }
  EXPECT_EQ(fleet.submit(ask(fleet, 7, "seven")), "queued 1");
  DecisionRecord record = last(fleet, "seven");
  EXPECT_EQ(record.state, DecisionRecord::State::waiting);
  EXPECT_EQ(record.chosen(), nullptr);
  EXPECT_EQ(record.seen()[0].readiness, Readiness::busy);

  fleet.passes(seconds(4));
  fleet.ends(2, 2);
  EXPECT_EQ(fleet.said(), "grant 7 on 2");
  record = last(fleet, "seven");
  EXPECT_EQ(record.state, DecisionRecord::State::running);
  EXPECT_EQ(record.queued->position, 1U);
  EXPECT_EQ(record.started - record.submitted, seconds(4));
  EXPECT_EQ(record.looked_at, record.started);
  EXPECT_EQ(record.chosen()->node, NodeId{2});
  EXPECT_EQ(record.chosen()->readiness, Readiness::ready);
  EXPECT_EQ(search(fleet, "seven").found.size(), 1U);
}

TEST(DecisionLog, has_each_attempt_of_a_request_the_last_one_first) {
  Fleet fleet;
  for (std::uint64_t id : {1U, 2U}) {
    fleet.node(id, 1);
    fleet.has(id, {"m*"});
  }
  Submission submission = ask(fleet, 1, "one");
  EXPECT_EQ(fleet.submit(submission), "on 1 (least_connections)");
  fleet.fails(1, 1, ErrorCode::connect_refused);
  const NodeId tried[] = {NodeId{1}};
  submission.excluded = tried;
  submission.retry = RetryKind::lost_node;
  EXPECT_EQ(fleet.submit(submission), "on 2 (only_one)");

  const auto found = search(fleet, "one").found;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].retry, RetryKind::lost_node);
  EXPECT_EQ(found[0].node, NodeId{2});
  EXPECT_EQ(found[0].seen().size(), 1U) << "the node that failed was no candidate";
  EXPECT_EQ(found[1].state, DecisionRecord::State::ended);
  EXPECT_EQ(found[1].outcome.code, ErrorCode::connect_refused);
}

TEST(DecisionLog, knows_who_left_and_who_was_refused) {
  SchedulerSettings settings = by_counts();
  settings.queue_timeout = seconds(10);
  Fleet fleet(settings);
  fleet.node(1, 1);
  fleet.has(1, {"m*"});
  fleet.submit(1, "m");
  fleet.submit(ask(fleet, 2, "leaves"));
  fleet.submit(ask(fleet, 3, "late"));
  fleet.cancels(2);
  EXPECT_EQ(last(fleet, "leaves").state, DecisionRecord::State::left);
  fleet.passes(seconds(11));
  const DecisionRecord late = last(fleet, "late");
  EXPECT_EQ(late.state, DecisionRecord::State::refused);
  EXPECT_EQ(late.why, Why::deadline);
  EXPECT_EQ(late.ended - late.submitted, seconds(11));

  fleet.ends(1, 1);
  fleet.submit(ask(fleet, 4, "granted"));
  fleet.cancels(4);
  const DecisionRecord granted = last(fleet, "granted");
  EXPECT_EQ(granted.state, DecisionRecord::State::ended);
  EXPECT_EQ(granted.outcome.kind, Outcome::Kind::client_cancelled);
}

TEST(DecisionLog, of_many_candidates_has_the_best_and_the_chosen_one) {
  Fleet fleet;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    fleet.node(id, 8);
    fleet.has(id, {"m*"});
  }
  // The first twelve are busy, so that eight others come first; and the last is asked for by name.
  std::uint64_t next = 100;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    for (std::uint64_t i = 0; i < (id <= 12 || id == 20 ? 2U : 1U); ++i) {
      Submission submission = fleet.ask(next++, "m");
      submission.pinned = NodeId{id};
      fleet.submit(submission);
    }
  }
  EXPECT_EQ(fleet.submit(ask(fleet, 1, "one")), "on 13 (least_connections)");
  DecisionRecord record = last(fleet, "one");
  EXPECT_EQ(record.usable, 20U);
  ASSERT_EQ(record.seen().size(), DecisionRecord::kOptions);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(record.seen()[i].node, NodeId{13 + i});
  EXPECT_EQ(record.chosen(), &record.seen()[0]);

  SchedulerSettings settings;
  settings.policy = PolicyKind::consistent_hash;  // which goes by no number that could be compared
  fleet.scheduler.update_settings(settings);
  for (std::uint64_t affinity = 1; affinity <= 30; ++affinity) {
    const std::string name = fmt::format("{}", affinity);
    Submission submission = ask(fleet, 200 + affinity, name);
    submission.affinity = affinity;
    fleet.submit(submission);
    record = last(fleet, name);
    ASSERT_NE(record.chosen(), nullptr) << affinity;
    EXPECT_EQ(record.chosen()->node, record.node);
  }
}

TEST(DecisionLog, remembers_so_many_and_no_more) {
  SchedulerSettings settings = by_counts();
  settings.decisions = 3;
  Fleet fleet(settings);
  fleet.node(1, 100);
  fleet.has(1, {"m*"});
  EXPECT_EQ(search(fleet, "").remembered, 0U);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    fleet.passes(seconds(1));
    fleet.submit(ask(fleet, id, fmt::format("number {}", id)));
  }
  EXPECT_EQ(search(fleet, "").name, "number 5");
  EXPECT_EQ(search(fleet, "number 2").remembered, 3U);
  EXPECT_TRUE(search(fleet, "number 2").found.empty());
  for (const std::size_t at_once : {1U, 2U, 3U}) {
    EXPECT_EQ(search(fleet, "number 3", at_once).found.size(), 1U) << at_once;
  }
  fleet.ends(1, 1);  // is forgotten, and ends all the same
  fleet.ends(5, 1);
  EXPECT_EQ(last(fleet, "number 5").state, DecisionRecord::State::ended);
}

TEST(DecisionLog, of_more_in_a_second_than_it_holds_has_the_first) {
  SchedulerSettings settings = by_counts();
  settings.decisions = 2;
  Fleet fleet(settings);
  fleet.node(1, 100);
  fleet.has(1, {"m*"});
  fleet.passes(seconds(1));
  for (std::uint64_t id = 1; id <= 3; ++id) fleet.submit(ask(fleet, id, fmt::format("number {}", id)));
  EXPECT_EQ(search(fleet, "number 1").found.size(), 1U);
  EXPECT_EQ(search(fleet, "number 2").found.size(), 1U);
  EXPECT_EQ(search(fleet, "number 3").found.size(), 0U);
  fleet.passes(seconds(1));
  fleet.submit(ask(fleet, 4, "number 4"));
  EXPECT_EQ(search(fleet, "number 4").found.size(), 1U);
}

TEST(DecisionLog, forgets_when_its_size_changes_and_only_then) {
  SchedulerSettings settings = by_counts();
  Fleet fleet(settings);
  fleet.node(1, 2);
  fleet.has(1, {"m*"});
  fleet.submit(ask(fleet, 1, "one"));
  fleet.submit(ask(fleet, 2, "two"));
  fleet.submit(ask(fleet, 3, "waits"));
  fleet.scheduler.update_settings(settings);
  EXPECT_EQ(search(fleet, "one").found.size(), 1U);
  for (const std::size_t size : {1U, 0U, 5U}) {
    settings.decisions = size;
    fleet.scheduler.update_settings(settings);
    EXPECT_EQ(search(fleet, "").remembered, 0U);
    EXPECT_TRUE(search(fleet, "one").found.empty());
  }
  fleet.ends(1, 1);  // what began before goes on
  EXPECT_EQ(fleet.said(), "grant 3 on 1");
  EXPECT_TRUE(search(fleet, "waits").found.empty());
  fleet.submit(ask(fleet, 4, "four"));
  EXPECT_EQ(last(fleet, "four").state, DecisionRecord::State::waiting);
}

TEST(DecisionLog, can_be_off) {
  SchedulerSettings settings = by_counts();
  settings.decisions = 0;
  Fleet fleet(settings);
  fleet.node(1, 1);
  fleet.has(1, {"m*"});
  EXPECT_EQ(fleet.submit(ask(fleet, 1, "one")), "on 1 (only_one)");
  EXPECT_EQ(fleet.submit(ask(fleet, 2, "two")), "queued 1");
  fleet.ends(1, 1);
  EXPECT_EQ(fleet.said(), "grant 2 on 1");
  EXPECT_TRUE(search(fleet, "one").found.empty());
}

TEST(DecisionLog, takes_a_name_that_comes_again_for_the_last_request_of_it) {
  Fleet fleet;
  fleet.node(1, 2);
  fleet.has(1, {"m*"});
  fleet.submit(ask(fleet, 1, "same"));
  fleet.submit(ask(fleet, 2, "same"));
  const auto found = search(fleet, "same").found;
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].request, RequestId{2});
}

TEST(DecisionLog, cuts_what_is_longer_than_a_name_may_be) {
  Fleet fleet;
  fleet.node(1, 1);
  fleet.has(1, {"m*"});
  fleet.submit(ask(fleet, 1, std::string(1000, 'x')));
  EXPECT_EQ(search(fleet, "").name, std::string(DecisionRecord::kLongestText, 'x'));
}

}  // namespace
}  // namespace drover::balance
