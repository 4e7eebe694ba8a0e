#include "balance/policy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "balance/cold_start.h"

namespace drover::balance {
namespace {

// Candidates a, b, c, ... that run what they are given.
struct Fleet {
  explicit Fleet(const std::vector<double>& weights) : turns(weights.size(), 0.0) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      candidates.push_back({.node = NodeId{i},
                            .readiness = Readiness::ready,
                            .resident = true,
                            .slots = 100,
                            .weight = weights[i],
                            .turn = &turns[i]});
    }
  }

  char pick(const Policy& policy) {
    const Pick picked = policy.pick(candidates, {.now = Mono{}, .previous = previous});
    if (std::holds_alternative<WaitFor>(picked)) return '-';
    Candidate& candidate = candidates[std::get<StartOn>(picked).candidate];
    EXPECT_EQ(candidate.readiness, Readiness::ready);
    previous = candidate.node;
    ++candidate.node_in_flight;
    return static_cast<char>('a' + candidate.node.value);
  }
  std::string picks(const Policy& policy, int times) {
    std::string picked;
    for (int i = 0; i < times; ++i) picked += pick(policy);
    return picked;
  }

  std::vector<double> turns;
  std::vector<Candidate> candidates;
  std::optional<NodeId> previous;
};

struct RoundRobinCase {
  std::vector<double> weights;
  std::string picks;
};

TEST(RoundRobin, is_smooth_and_exact) {
  const RoundRobinCase cases[] = {
      {{1, 1, 1}, "abcabcabc"},
      {{5, 1, 1}, "aabacaaaabacaa"},  // the example of nginx's author
      {{2, 1}, "abaaba"},
      {{1}, "aaa"},
      {{4, 2, 1}, "abacabaabacaba"},
      {{0.5, 0.25}, "abaaba"},
  };
  const auto policy = make_policy(PolicyKind::round_robin);
  for (const RoundRobinCase& test : cases) {
    Fleet fleet(test.weights);
    EXPECT_EQ(fleet.picks(*policy, static_cast<int>(test.picks.size())), test.picks);
  }
}

TEST(RoundRobin, passes_over_who_has_no_free_slot_without_a_debt) {
  const auto policy = make_policy(PolicyKind::round_robin);
  Fleet fleet({1, 1, 1});
  fleet.candidates[1].readiness = Readiness::busy;
  EXPECT_EQ(fleet.picks(*policy, 4), "acac");
  fleet.candidates[1].readiness = Readiness::ready;
  EXPECT_EQ(fleet.picks(*policy, 6), "abcabc");
}

TEST(LeastConnections, takes_the_least_busy_for_its_weight) {
  const auto policy = make_policy(PolicyKind::least_connections);
  Fleet fleet({1, 1, 1});
  fleet.candidates[0].node_in_flight = 3;
  fleet.candidates[1].node_in_flight = 1;
  fleet.candidates[2].node_in_flight = 2;
  EXPECT_EQ(fleet.picks(*policy, 1), "b");

  Fleet weighted({3, 1});
  const std::string picks = weighted.picks(*policy, 40);
  EXPECT_EQ(std::ranges::count(picks, 'a'), 30) << picks;
}

TEST(LeastConnections, goes_round_among_equals) {
  const auto policy = make_policy(PolicyKind::least_connections);
  EXPECT_EQ(Fleet({1, 1, 1}).picks(*policy, 7), "abcabca");
  Fleet one_at_a_time({1, 1, 1});
  std::string picks;
  for (int i = 0; i < 6; ++i) {
    picks += one_at_a_time.pick(*policy);
    for (Candidate& candidate : one_at_a_time.candidates) candidate.node_in_flight = 0;
  }
  EXPECT_EQ(picks, "abcabc");
}

TEST(LeastConnections, spares_a_node_of_less_weight_even_when_all_are_idle) {
  const auto policy = make_policy(PolicyKind::least_connections);
  EXPECT_EQ(Fleet({0.25, 1, 1}).picks(*policy, 6), "bcbcbc");
}

TEST(Policies, wait_when_nobody_is_ready) {
  for (const auto kind : {PolicyKind::round_robin, PolicyKind::least_connections}) {
    const auto policy = make_policy(kind);
    EXPECT_EQ(policy_kind(name(kind)), kind);
    for (const auto readiness : {Readiness::busy, Readiness::cold, Readiness::occupied, Readiness::blocked}) {
      Fleet fleet({1, 1});
      for (Candidate& candidate : fleet.candidates) candidate.readiness = readiness;
      EXPECT_EQ(fleet.pick(*policy), '-') << name(kind);
    }
    EXPECT_EQ(Fleet({}).pick(*policy), '-') << name(kind);
  }
}

// ---- the rule for cold models

// One candidate in a few letters: b busy with 2 slots, c cold, C cold with other options in memory, e cold and full of
// other models, o occupied, x blocked; a digit before it: requests in flight on the node.
std::vector<Candidate> candidates(std::string_view text) {
  std::vector<Candidate> list;
  std::size_t in_flight = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      in_flight = static_cast<std::size_t>(c - '0');
      continue;
    }
    Candidate& candidate = list.emplace_back();
    candidate.node = NodeId{list.size() - 1};
    candidate.slots = 2;
    candidate.node_in_flight = std::exchange(in_flight, 0);
    candidate.readiness = c == 'b'   ? Readiness::busy
                          : c == 'o' ? Readiness::occupied
                          : c == 'x' ? Readiness::blocked
                                     : Readiness::cold;
    candidate.resident = c == 'b' || c == 'o' || c == 'C';
    candidate.evicts = c == 'e';
  }
  return list;
}

struct ColdCase {
  std::string_view name, candidates;
  ColdContext context;
  std::string_view choice;  // wait, load N, claim N
};
const ColdCase kColdCases[] = {
    {"loads_where_it_is_nowhere", "c", {}, "load 0"},
    {"the_first_copy_goes_to_the_least_busy", "3c1c2c", {}, "load 1"},
    {"ties_go_round", "ccc", {.previous = NodeId{1}}, "load 2"},
    {"waits_for_a_warm_node_while_its_line_is_short", "bc", {.waiting_before = 1}, "wait"},
    {"loads_a_further_copy_when_it_is_not", "bc", {.waiting_before = 2}, "load 1"},
    {"a_further_copy_goes_only_where_nothing_runs", "b1c", {.waiting_before = 9}, "wait"},
    {"several_warm_nodes_have_a_longer_line", "bbc", {.waiting_before = 3}, "wait"},
    {"not_more_loads_at_a_time_than_allowed", "cc", {.loads_running = 1}, "wait"},
    {"as_many_as_allowed", "cc", {.loads_running = 1, .parallel_loads = 2}, "load 0"},
    {"pushes_no_other_model_out_if_it_can", "e1c", {}, "load 1"},
    {"drops_no_options_in_use_if_it_can", "Cec", {}, "load 2"},
    {"reloads_an_idle_runner_before_it_claims_a_busy_one", "oC", {}, "load 1"},
    {"claims_the_least_busy_runner_with_other_options", "2o1o", {}, "claim 1"},
    {"claims_none_if_it_is_warm_elsewhere", "ob", {}, "wait"},
    {"waits_if_nothing_can_start", "xx", {}, "wait"},
    {"waits_if_there_is_nobody", "", {}, "wait"},
};

TEST(ColdStart, follows_its_rule) {
  for (const ColdCase& test : kColdCases) {
    const auto choice = choose_when_cold(candidates(test.candidates), test.context);
    std::string text = choice.kind == ColdChoice::Kind::wait   ? "wait"
                       : choice.kind == ColdChoice::Kind::load ? "load "
                                                               : "claim ";
    if (choice.kind != ColdChoice::Kind::wait) text += std::to_string(choice.candidate);
    EXPECT_EQ(text, test.choice) << test.name << ": " << test.candidates;
  }
}

}  // namespace
}  // namespace drover::balance
