#include "balance/policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
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
                            .identity = i,
                            .turn = &turns[i]});
    }
  }

  char pick(const Policy& policy) {
    const Pick picked =
        policy.pick(candidates, {.now = Mono{}, .random = random, .previous = previous, .affinity = affinity});
    if (std::holds_alternative<WaitFor>(picked)) return '-';
    Candidate& candidate = candidates[std::get<StartOn>(picked).candidate];
    EXPECT_EQ(candidate.readiness, Readiness::ready);
    previous = candidate.node;
    ++candidate.node_in_flight;
    ++candidate.in_flight;
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
  std::uint64_t affinity = 0;
  Random random{1};
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

TEST(LeastLoaded, takes_the_smallest_part_of_its_slots) {
  const auto policy = make_policy(PolicyKind::least_loaded);
  Fleet fleet({1, 1});
  fleet.candidates[0].slots = 8;
  fleet.candidates[1].slots = 2;
  const std::string picks = fleet.picks(*policy, 10);
  EXPECT_EQ(std::ranges::count(picks, 'a'), 8) << picks;
}

TEST(LeastLoaded, spares_of_equals_who_is_busy_with_other_models) {
  const auto policy = make_policy(PolicyKind::least_loaded);
  Fleet fleet({1, 1, 1});
  fleet.candidates[0].node_in_flight = fleet.candidates[2].node_in_flight = 2;
  EXPECT_EQ(fleet.pick(*policy), 'b');
}

// Of many picks, how many each got.
std::map<char, int> counts(const std::string& picks) {
  std::map<char, int> result;
  for (const char c : picks) ++result[c];
  return result;
}

TEST(RandomNode, gives_each_its_weight) {
  const auto policy = make_policy(PolicyKind::random);
  Fleet fleet({3, 1, 2});
  fleet.candidates[2].readiness = Readiness::busy;
  auto got = counts(fleet.picks(*policy, 40'000));
  EXPECT_NEAR(got['a'], 30'000, 500);
  EXPECT_NEAR(got['b'], 10'000, 500);
}

// The most that one of a hundred nodes holds after as many requests, on average over many fleets.
double fullest(const Policy& policy) {
  constexpr int kFleets = 50;
  double sum = 0;
  for (int i = 0; i < kFleets; ++i) {
    Fleet fleet(std::vector<double>(100, 1.0));
    fleet.random = Random(static_cast<std::uint64_t>(i));
    fleet.picks(policy, 100);
    sum += static_cast<double>(std::ranges::max(fleet.candidates, {}, &Candidate::node_in_flight).node_in_flight);
  }
  return sum / kFleets;
}

TEST(TwoChoices, beats_random_as_the_source_says) {
  // Mitzenmacher: log n / log log n for one choice, about log log n for two.
  EXPECT_GT(fullest(*make_policy(PolicyKind::random)), 3.5);
  EXPECT_LT(fullest(*make_policy(PolicyKind::two_choices)), 2.8);
}

TEST(TwoChoices, looks_at_two_different_ones_and_at_the_only_one) {
  const auto policy = make_policy(PolicyKind::two_choices);
  Fleet two({1, 1});
  two.candidates[0].node_in_flight = 1'000;
  EXPECT_EQ(two.picks(*policy, 50), std::string(50, 'b'));
  EXPECT_EQ(Fleet({1}).picks(*policy, 2), "aa");
}

// Who owns each of many affinities, when nobody is busy.
std::string owners(const Policy& policy, Fleet& fleet, std::uint64_t count) {
  std::string picked;
  for (fleet.affinity = 1; fleet.affinity <= count; ++fleet.affinity) {
    picked += fleet.pick(policy);
    for (Candidate& candidate : fleet.candidates) candidate.in_flight = 0;
  }
  return picked;
}

TEST(ConsistentHash, gives_each_its_share_and_the_same_one_each_time) {
  const auto policy = make_policy(PolicyKind::consistent_hash);
  Fleet fleet({1, 1, 2, 1});
  const std::string picked = owners(*policy, fleet, 20'000);
  auto got = counts(picked);
  EXPECT_NEAR(got['a'], 4'000, 800);
  EXPECT_NEAR(got['c'], 8'000, 1'200);
  EXPECT_EQ(owners(*make_policy(PolicyKind::consistent_hash), fleet, 20'000), picked)
      << "another gateway has another ring";
}

TEST(ConsistentHash, a_node_that_leaves_moves_its_own_share_only) {
  const auto policy = make_policy(PolicyKind::consistent_hash);
  Fleet all({1, 1, 2, 1});
  const std::string before = owners(*policy, all, 5'000);
  Fleet fewer({1, 1, 2, 1});
  fewer.candidates.erase(fewer.candidates.begin() + 1);
  std::string after;
  for (fewer.affinity = 1; fewer.affinity <= 5'000; ++fewer.affinity) {
    const Pick picked =
        policy->pick(fewer.candidates, {.now = Mono{}, .random = fewer.random, .affinity = fewer.affinity});
    after += static_cast<char>('a' + fewer.candidates[std::get<StartOn>(picked).candidate].node.value);
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] != 'b') ASSERT_EQ(after[i], before[i]) << i;
  }
  EXPECT_EQ(std::ranges::count(after, 'b'), 0);
}

TEST(ConsistentHash, nobody_holds_more_than_the_bound_allows) {
  const auto policy = make_policy(PolicyKind::consistent_hash);
  Fleet fleet({1, 1, 1, 1});
  fleet.affinity = 7;  // one conversation that everybody has
  for (int i = 1; i <= 80; ++i) {
    fleet.pick(*policy);
    for (const Candidate& candidate : fleet.candidates) {
      EXPECT_LE(candidate.in_flight, std::ceil(1.25 * i / 4)) << i;
    }
  }
}

TEST(ConsistentHash, goes_by_load_without_an_affinity) {
  const auto policy = make_policy(PolicyKind::consistent_hash);
  Fleet fleet({1, 1});
  EXPECT_EQ(fleet.picks(*policy, 4), "abab");
}

TEST(Policies, wait_when_nobody_is_ready) {
  for (const std::string_view policy_name : kPolicyNames) {
    const PolicyKind kind = policy_kind(policy_name).value();
    const auto policy = make_policy(kind);
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
    if (choice.kind != ColdChoice::Kind::wait) text += std::to_string(*choice.candidate);
    EXPECT_EQ(text, test.choice) << test.name << ": " << test.candidates;
  }
}

}  // namespace
}  // namespace drover::balance
