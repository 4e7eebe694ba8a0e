// Decisions by estimate: what the policy does with estimates, and what the scheduler learns them from.
#include "balance/earliest_finish.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "balance/cold_start.h"
#include "balance/estimate.h"
#include "balance/scheduler_fixture.h"

namespace drover::balance {
namespace {

using testing::Fleet;
using testing::milliseconds;
using testing::seconds;

// ---- the policy

// r ready, b busy, c cold, x blocked, each followed by what it costs.
std::vector<Candidate> candidates(const std::vector<std::pair<char, double>>& list) {
  std::vector<Candidate> all;
  for (const auto& [kind, cost] : list) {
    Candidate& candidate = all.emplace_back();
    candidate.node = NodeId{all.size() - 1};
    candidate.readiness = kind == 'r'   ? Readiness::ready
                          : kind == 'b' ? Readiness::busy
                          : kind == 'c' ? Readiness::cold
                                        : Readiness::blocked;
    candidate.cost = cost;
  }
  return all;
}

struct PickCase {
  std::string_view name;
  std::vector<std::pair<char, double>> candidates;
  bool may_load, may_wait;
  std::string_view picked;  // start N, wait N, wait
};
const PickCase kPickCases[] = {
    {"the_one_that_ends_first", {{'r', 3}, {'r', 2}, {'r', 4}}, true, true, "start 1"},
    {"waits_for_a_busy_one_that_ends_sooner", {{'r', 10}, {'b', 8}}, true, true, "wait 1"},
    {"not_for_a_small_gain", {{'r', 10}, {'b', 9.5}}, true, true, "start 0"},
    {"not_when_it_has_waited_long_enough", {{'r', 10}, {'b', 1}}, true, false, "start 0"},
    {"waits_for_a_load_that_is_worth_it", {{'r', 100}, {'c', 20}}, true, true, "wait 1"},
    {"not_for_a_load_that_may_not_be", {{'r', 100}, {'c', 20}}, false, true, "start 0"},
    {"nothing_starts_where_nothing_can", {{'r', 10}, {'x', 1}}, true, true, "start 0"},
    {"waits_for_the_best_of_the_busy", {{'b', 7}, {'b', 5}}, true, true, "wait 1"},
    {"waits_for_nobody_in_particular", {{'x', 7}}, true, true, "wait"},
};

TEST(EarliestFinish, follows_the_estimates) {
  Random random(1);
  for (const PickCase& test : kPickCases) {
    const auto list = candidates(test.candidates);
    const Pick pick = EarliestFinish().pick(
        list, {.now = Mono{}, .random = random, .may_load = test.may_load, .may_wait = test.may_wait});
    std::string text;
    if (const auto* start = std::get_if<StartOn>(&pick)) text = fmt::format("start {}", start->candidate);
    if (const auto* wait = std::get_if<WaitFor>(&pick)) {
      text = wait->candidate ? fmt::format("wait {}", *wait->candidate) : "wait";
    }
    EXPECT_EQ(text, test.picked) << test.name;
  }
}

TEST(Estimate, costs_what_others_lose_and_counts_for_what_the_node_weighs) {
  EXPECT_DOUBLE_EQ(cost(Estimate{.wait = 1, .load = 2, .prompt = 3, .answer = 4, .saved = 9}, 1, 0), 9 + kWaitPrice);
  EXPECT_DOUBLE_EQ(cost(Estimate{.answer = 4, .harm = 2}, 1, 0), 6);
  EXPECT_DOUBLE_EQ(cost(Estimate{.answer = 4, .harm = 2}, 0.5, 0), 10);  // degraded
}

TEST(Estimate, counts_a_late_first_token_more_the_later_it_is_and_no_more_than_so_much) {
  EXPECT_DOUBLE_EQ(lateness(1.5, 2), 0);
  EXPECT_DOUBLE_EQ(lateness(2, 2), kLate);  // half of it
  EXPECT_DOUBLE_EQ(lateness(2.5, 2), 2 * kLate);
  EXPECT_DOUBLE_EQ(lateness(9, 2), 2 * kLate);
  EXPECT_DOUBLE_EQ(lateness(9, 0), 0);
  EXPECT_DOUBLE_EQ(cost(Estimate{.load = 2, .prompt = 1, .answer = 4}, 1, 2), 7 + 2 * kLate);
}

struct LoadCase {
  std::string_view name;
  std::vector<std::pair<char, double>> candidates;
  ColdContext context;
  ColdChoice::Kind kind;
  std::optional<std::size_t> candidate;
};
const LoadCase kLoadCases[] = {
    {"loads_where_it_is_nowhere", {{'c', 9}, {'c', 5}}, {}, ColdChoice::Kind::load, 1},
    {"waits_where_that_is_sooner", {{'b', 4}, {'c', 5}}, {}, ColdChoice::Kind::wait, 0},
    {"loads_where_the_line_is_longer_than_a_load", {{'b', 9}, {'c', 5}}, {}, ColdChoice::Kind::load, 1},
    {"no_more_loads_than_allowed", {{'b', 9}, {'c', 5}}, {.loads_running = 1}, ColdChoice::Kind::wait, 0},
    {"waits_where_nothing_can_be_done", {{'x', 9}}, {}, ColdChoice::Kind::wait, std::nullopt},
};

TEST(EarliestFinish, loads_by_estimate) {
  for (const LoadCase& test : kLoadCases) {
    const ColdChoice choice = choose_by_estimate(candidates(test.candidates), test.context);
    EXPECT_EQ(choice.kind, test.kind) << test.name;
    EXPECT_EQ(choice.candidate, test.candidate) << test.name;
  }
}

// ---- what is learned

SchedulerSettings by_estimate() {
  SchedulerSettings settings;
  settings.policy = PolicyKind::earliest_finish;
  return settings;
}

// An answer of 100 tokens to a prompt of 1000, `slow` times as slow as 1 ms and 20 ms a token.
NodeDurations durations(double slow, std::uint64_t cached = 0) {
  const auto ms = [&](double value) { return Duration(static_cast<std::int64_t>(value * slow * 1e6)); };
  NodeDurations durations{.prompt_eval = ms(static_cast<double>(1000 - cached)),
                          .eval = ms(2000),
                          .prompt_tokens = 1000,
                          .cached_tokens = cached,
                          .eval_tokens = 100};
  durations.total = durations.prompt_eval + durations.eval;
  return durations;
}

// 4000 bytes: by the first answers, 1000 tokens.
struct Prompts {
  explicit Prompts(std::uint64_t text) {
    for (std::uint64_t i = 0; i < 16; ++i) prefix.push_back((text * 1000 + i + 1) * 0x9e3779b97f4a7c15ULL);
  }
  Prompt prompt() const { return {.bytes = 4000, .prefix = prefix}; }
  std::vector<std::uint64_t> prefix;
};

class LearningFleet : public Fleet {
 public:
  LearningFleet(std::uint64_t nodes, unsigned slots, const SchedulerSettings& settings = by_estimate())
      : Fleet(settings) {
    for (std::uint64_t id = 0; id < nodes; ++id) {
      node(id, slots);
      has(id, {"a*"});
    }
  }

  // Asks, and returns the node where it started; none: it waits.
  std::optional<std::uint64_t> start(std::uint64_t request, std::uint64_t text, std::optional<NodeId> pinned = {}) {
    const Prompts prompts(text);
    auto submission = ask(request, "a");
    submission.prompt = prompts.prompt();
    submission.pinned = pinned;
    Actions actions;
    const Decision decision = scheduler.submit(submission, actions);
    const auto* started = std::get_if<Start>(&decision);
    if (started == nullptr) return std::nullopt;
    return started->node.value;
  }
  // Every node answers a few, one at a time.
  void learn(const std::vector<double>& slow) {
    for (std::uint64_t node = 0; node < slow.size(); ++node) {
      for (int i = 0; i < 8; ++i) {
        ASSERT_EQ(start(++requests, ++texts, NodeId{node}), node);
        now += seconds(20);
        answers(requests, node, durations(slow[node]));
      }
    }
    now += seconds(60);
  }

  std::uint64_t requests = 1000;
  std::uint64_t texts = 1000;
};

TEST(EarliestFinish, prefers_the_faster_node_and_uses_the_slow_one_when_that_is_sooner) {
  LearningFleet fleet(2, 1);
  fleet.learn({1, 1.5});
  EXPECT_EQ(fleet.start(1, 1), 0U);
  EXPECT_EQ(fleet.start(2, 2), 1U) << "half as slow again is sooner than twice as long";
  fleet.answers(1, 0, durations(1));
  EXPECT_EQ(fleet.start(3, 3), 0U);
}

TEST(EarliestFinish, waits_for_a_fast_node_while_a_slow_one_is_free) {
  LearningFleet fleet(2, 1);
  fleet.learn({1, 12});
  EXPECT_EQ(fleet.start(1, 1), 0U);
  EXPECT_EQ(fleet.start(2, 2), std::nullopt) << "it ends sooner on the fast node, wait and all";
  EXPECT_EQ(fleet.start(3, 3), std::nullopt);
  fleet.now += seconds(1);
  fleet.answers(1, 0, durations(1));
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
}

TEST(EarliestFinish, who_would_be_too_far_behind_takes_the_slow_node) {
  LearningFleet fleet(2, 1);
  fleet.learn({1, 12});
  int waiting = 0;
  std::optional<std::uint64_t> started;
  for (std::uint64_t i = 1; i <= 10 && started != 1U; ++i) {
    started = fleet.start(i, i);
    waiting += started ? 0 : 1;
  }
  EXPECT_EQ(started, 1U);
  EXPECT_GE(waiting, 2);
  EXPECT_LE(waiting, 6);
}

TEST(EarliestFinish, waits_no_longer_by_choice_than_it_may) {
  LearningFleet fleet(2, 1);
  fleet.learn({1, 6});
  fleet.start(1, 1);
  fleet.start(2, 2);
  EXPECT_EQ(fleet.said(), "");
  fleet.passes(by_estimate().spill_delay + seconds(1));  // the first one takes much longer than it should
  EXPECT_EQ(fleet.said(), "grant 2 on 1");
}

TEST(EarliestFinish, is_not_refused_for_having_waited_by_choice) {
  SchedulerSettings settings = by_estimate();
  settings.queue_timeout = seconds(10);
  LearningFleet fleet(2, 1, settings);
  fleet.learn({1, 6});
  fleet.start(1, 1);
  fleet.start(2, 2);
  fleet.passes(seconds(6));
  EXPECT_EQ(fleet.said(), "grant 2 on 1");
}

TEST(EarliestFinish, who_has_not_answered_yet_is_tried_by_one_at_a_time) {
  LearningFleet fleet(3, 4);
  fleet.learn({1});
  std::map<std::uint64_t, int> on;
  for (std::uint64_t i = 1; i <= 6; ++i) ++on[fleet.start(i, i).value_or(9)];
  EXPECT_EQ(on, (std::map<std::uint64_t, int>{{0, 4}, {1, 1}, {2, 1}}));
}

TEST(EarliestFinish, who_has_not_answered_yet_takes_its_part_where_slots_are_many_and_answers_long) {
  LearningFleet fleet(2, 256);
  fleet.learn({1});
  std::map<std::uint64_t, int> on;
  for (std::uint64_t i = 1; i <= 200; ++i) ++on[fleet.start(i, i).value_or(9)];
  EXPECT_GE(on[1], 25);
  EXPECT_EQ(on[0] + on[1], 200);
}

// Two nodes, the second of which has the better card.
struct CardFleet : LearningFleet {
  CardFleet() : LearningFleet(0, 0) {
    for (const std::uint64_t id : {0U, 1U}) {
      node(id, 4, 1, {}, id == 0 ? CardSpeed{.reading = 1, .writing = 1} : CardSpeed{.reading = 8, .writing = 4});
      has(id, {"a*"});
    }
  }
};

TEST(EarliestFinish, the_better_card_is_the_faster_one_until_answers_tell) {
  CardFleet fleet;
  EXPECT_EQ(fleet.start(1, 1), 1U);
  fleet.answers(1, 1, durations(1));
  EXPECT_EQ(fleet.start(2, 2), 1U);
}

TEST(EarliestFinish, what_one_card_takes_tells_what_another_will) {
  CardFleet fleet;
  fleet.learn({1});
  EXPECT_EQ(fleet.start(1, 1), 1U) << "four times as fast as the one that has answered, nobody has to try that";
}

TEST(EarliestFinish, a_card_that_is_worse_than_its_data_sheet_is_found_out) {
  CardFleet fleet;
  fleet.learn({1, 2});
  EXPECT_EQ(fleet.start(1, 1), 0U);
}

TEST(EarliestFinish, a_slow_card_that_is_known_is_not_tried_while_a_fast_one_is_free) {
  CardFleet fleet;
  std::vector<std::optional<std::uint64_t>> on;
  for (std::uint64_t i = 1; i <= 3; ++i) on.push_back(fleet.start(i, i));
  EXPECT_EQ(on, (std::vector<std::optional<std::uint64_t>>{1, 1, 1}));
}

TEST(EarliestFinish, a_conversation_goes_back_to_who_has_read_it) {
  LearningFleet fleet(3, 4);
  fleet.learn({1, 1, 1});
  for (std::uint64_t text = 1; text <= 12; ++text) {
    const auto first = fleet.start(text, text);
    ASSERT_TRUE(first);
    fleet.answers(text, *first, durations(1));
    EXPECT_EQ(fleet.start(100 + text, text), first);
    fleet.answers(100 + text, *first, durations(1, 900));
  }
}

TEST(EarliestFinish, a_conversation_moves_when_its_node_is_too_busy) {
  LearningFleet fleet(2, 4);
  fleet.learn({1, 1});
  const auto first = fleet.start(1, 1);
  ASSERT_TRUE(first);
  std::vector<std::uint64_t> on{*first};
  for (std::uint64_t i = 2; i <= 8; ++i) on.push_back(fleet.start(i, 1).value_or(9));
  EXPECT_NE(std::ranges::find(on, 1 - *first), on.end()) << "no cliff: what it saves there is less than it waits";
}

TEST(EarliestFinish, a_node_that_becomes_four_times_slower_has_its_share_down_to_a_third_within_ten_requests) {
  LearningFleet fleet(3, 4);
  std::vector<double> slow{1, 1, 1};
  // Six at a time, answered one after another, each answer followed by a new request. One that would rather wait goes.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> running;
  std::uint64_t next = 1;
  const auto ask_one = [&] {
    ++next;
    const auto node = fleet.start(next, next);
    if (!node) fleet.cancels(next);
    if (node) running.emplace_back(next, *node);
    return node;
  };
  const auto turn = [&] {
    const auto [request, node] = running.front();
    running.erase(running.begin());
    fleet.now += seconds(1);
    fleet.answers(request, node, durations(slow[node]));
    return ask_one();
  };
  for (int i = 0; i < 6; ++i) ask_one();
  std::size_t before = 0;
  for (int i = 0; i < 60; ++i) before += turn() == 0 ? 1 : 0;
  ASSERT_GE(before, 18U);
  slow[0] = 4;
  int answers_of_slow = 0;
  for (int i = 0; i < 60 && answers_of_slow < 10; ++i) {  // it may get so few that ten never come
    answers_of_slow += running.front().second == 0 ? 1 : 0;
    turn();
  }
  std::size_t after = 0;
  for (int i = 0; i < 60; ++i) after += turn() == 0 ? 1 : 0;
  EXPECT_LE(after * 3, before);
}

TEST(EarliestFinish, another_size_of_what_is_remembered_begins_anew) {
  LearningFleet fleet(2, 4);
  fleet.learn({1, 1});
  const auto first = fleet.start(1, 1);
  SchedulerSettings settings = by_estimate();
  settings.prefix_entries = 64;
  fleet.scheduler.update_settings(settings);
  fleet.answers(1, *first, durations(1));
  const auto other = fleet.start(2, 2);  // ties go round
  EXPECT_NE(fleet.start(3, 1), other);
}

TEST(EarliestFinish, an_unloaded_model_has_no_cache) {
  LearningFleet fleet(2, 4);
  fleet.learn({1, 1});
  const auto first = fleet.start(1, 1);
  fleet.answers(1, *first, durations(1));
  fleet.now += seconds(1);
  fleet.has(*first, {"a"});
  fleet.has(*first, {"a*"});
  const auto other = fleet.start(2, 2);  // ties go round
  const auto again = fleet.start(3, 1);
  EXPECT_NE(again, other);
}

// Two like nodes whose caches are full: one of what came within the last minute, of which half goes on after a hundred
// seconds, the other of what came hours ago.
TEST(EarliestFinish, what_is_new_goes_where_it_pushes_out_no_conversation_that_may_go_on) {
  LearningFleet fleet(2, 4);
  fleet.learn({1, 1});
  std::uint64_t request = 1;
  const auto serve = [&](std::uint64_t text, std::uint64_t node) {
    ASSERT_EQ(fleet.start(++request, text, NodeId{node}), node);
    fleet.now += milliseconds(100);
    fleet.answers(request, node, durations(1));
  };
  const auto text = [](std::uint64_t i) { return 20'000 + i; };
  for (std::uint64_t i = 0; i < 300; ++i) serve(text(i), 1);
  fleet.now += std::chrono::hours(2);
  for (std::uint64_t i = 1000; i < 3000; ++i) {
    serve(text(i), 0);
    if (i >= 1500) serve(text(i - 500), 0);
  }
  for (std::uint64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(fleet.start(++request, 90'000 + i), 1U) << "they are alike, but for what they would forget";
    fleet.answers(request, 1, durations(1));
  }
}

TEST(EarliestFinish, of_those_that_wait_the_one_whose_prompt_is_still_cached_goes_first) {
  LearningFleet fleet(1, 1);
  fleet.learn({1});
  EXPECT_EQ(fleet.start(1, 1), 0U);
  EXPECT_EQ(fleet.start(2, 2), std::nullopt);
  EXPECT_EQ(fleet.start(3, 1), std::nullopt) << "the next turn of the conversation that runs";
  fleet.now += seconds(2);
  fleet.answers(1, 0, durations(1));
  EXPECT_EQ(fleet.said(), "grant 3 on 0");
}

TEST(EarliestFinish, who_has_waited_long_enough_goes_first_all_the_same) {
  LearningFleet fleet(1, 1);
  fleet.learn({1});
  EXPECT_EQ(fleet.start(1, 1), 0U);
  EXPECT_EQ(fleet.start(2, 2), std::nullopt);
  fleet.now += by_estimate().spill_delay;
  EXPECT_EQ(fleet.start(3, 1), std::nullopt);
  fleet.answers(1, 0, durations(1));
  EXPECT_EQ(fleet.said(), "grant 2 on 0");
}

TEST(EarliestFinish, a_slow_node_does_not_idle_while_a_long_line_waits_for_a_fast_one) {
  LearningFleet fleet(2, 1);
  fleet.learn({1, 100});
  EXPECT_EQ(fleet.start(1, 1), 0U);
  std::optional<std::uint64_t> on_slow;
  for (std::uint64_t i = 2; i <= 60; ++i) {
    if (fleet.start(i, i) == 1U) on_slow = i;
  }
  ASSERT_TRUE(on_slow) << "the line was long enough for one to be better off there";
  fleet.cancels(*on_slow);
  EXPECT_EQ(fleet.said(), "grant 60 on 1") << "the last of the line takes its place: it has the longest wait";
}

// Node 0 holds a; b is on node 1, which is busy with two of them. What a load on node 0 would push out decides.
std::string said_when_b_is_wanted(bool pushes_out) {
  LearningFleet fleet(1, 4);
  fleet.learn({1});
  fleet.node(1, 1);
  fleet.has(0, {"a*", "b"});
  fleet.has(1, {"b*"});
  if (pushes_out) {
    // Node 0 was seen to hold one model only: a went when b was loaded, and came back since.
    fleet.submit(1, "b");
    for (std::uint64_t i = 2; i <= 30; ++i) fleet.submit(i, "b");
    EXPECT_EQ(fleet.said(), "load 1: b on 0");
    fleet.has(0, {"a", "b"});
    fleet.load_fails(1, ErrorCode::reset);
    for (std::uint64_t i = 2; i <= 30; ++i) fleet.cancels(i);
    fleet.ends(1, 1);
    fleet.has(0, {"a*", "b"});
    fleet.now += seconds(60);
    fleet.probe_passes(0);
    for (std::uint64_t i = 200; i < 220; ++i) {
      fleet.start(i, 5);
      fleet.answers(i, 0, durations(1));
    }
    fleet.said();
  }
  fleet.submit(51, "b");
  fleet.submit(52, "b");
  fleet.submit(53, "b");
  return fleet.said();
}

TEST(EarliestFinish, a_load_costs_what_it_pushes_out) {
  EXPECT_EQ(said_when_b_is_wanted(false), "load 1: b on 0");
  EXPECT_EQ(said_when_b_is_wanted(true), "") << "a was wanted a moment ago, often";
}

}  // namespace
}  // namespace drover::balance
