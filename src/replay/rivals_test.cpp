// Each rival's rule, on backends made up for it.
#include <gtest/gtest.h>

#include <map>

#include "replay/rivals/prefix_memory.h"
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

using namespace std::chrono_literals;
using Blocks = std::vector<std::uint64_t>;

class Bench {
 public:
  explicit Bench(std::string_view name) : rival(make_rival(name)) {}

  // The node that is picked, of as many as there are loads; -1: it waits.
  int pick(const std::vector<unsigned>& loads, const Blocks& prefix = {}, std::uint64_t tokens = 1'000) {
    std::vector<Backend> backends;
    for (std::size_t i = 0; i < loads.size(); ++i) backends.push_back({.node = i, .slots = 2, .in_flight = loads[i]});
    const auto picked =
        rival->pick({.request = ++last, .model = 0, .prefix = prefix, .bytes = tokens * 4}, backends, now, random);
    return picked ? static_cast<int>(*picked) : -1;
  }

  std::unique_ptr<Rival> rival;
  Random random{1};
  Mono now{};
  std::size_t last = 0;
};

TEST(Rivals, have_the_names_that_make_them) {
  EXPECT_EQ(rival_names().size(), 10U);
  for (const std::string_view name : rival_names()) EXPECT_NE(make_rival(name), nullptr) << name;
  EXPECT_EQ(make_rival("rival:none"), nullptr);
}

TEST(Rivals, random_takes_all_alike_often) {
  Bench bench("rival:random");
  std::map<int, int> counts;
  for (int i = 0; i < 3'000; ++i) ++counts[bench.pick({9, 0, 0})];
  for (int node = 0; node < 3; ++node) EXPECT_NEAR(counts[node], 1'000, 100);
}

TEST(Rivals, round_robin_goes_round) {
  Bench bench("rival:round_robin");
  for (const int node : {0, 1, 2, 0, 1}) EXPECT_EQ(bench.pick({9, 0, 0}), node);
}

TEST(Rivals, least_connections_draws_among_equals) {
  Bench bench("rival:least_connections");
  std::map<int, int> counts;
  for (int i = 0; i < 1'000; ++i) ++counts[bench.pick({1, 3, 1})];
  EXPECT_EQ(counts[1], 0);
  EXPECT_NEAR(counts[0], 500, 80);
}

TEST(Rivals, peak_ewma_shuns_who_was_slow_until_that_is_forgotten) {
  Bench bench("rival:peak_ewma");
  bench.rival->ended({.request = 1, .node = 0, .durations = {.total = 8s}, .now = bench.now});
  EXPECT_EQ(bench.pick({0, 3}), 1);  // 8 x 1 against 1 x 4
  EXPECT_EQ(bench.pick({0, 9}), 0);  // against 1 x 10
  bench.now += 30s;                  // by now 8 s count as 0.4 s, and 1 s as 0.05 s
  EXPECT_EQ(bench.pick({0, 3}), 1);
  EXPECT_EQ(bench.pick({0, 8}), 0);
  bench.rival->ended({.request = 2, .node = 0, .durations = {.total = 100ms}, .now = bench.now});
  EXPECT_EQ(bench.pick({0, 3}), 1) << "0.4 x 0.05 + 0.1 x 0.95 s = 0.115 s, against 4 x 0.05 s";
}

TEST(Rivals, paddler_takes_a_free_slot_or_waits) {
  Bench bench("rival:paddler");
  EXPECT_EQ(bench.pick({2, 1, 0}), 2);
  EXPECT_EQ(bench.pick({2, 1, 1}), 1);
  EXPECT_EQ(bench.pick({2, 2, 3}), -1);
  EXPECT_EQ(bench.rival->buffer().most, 30U);
  EXPECT_EQ(bench.rival->buffer().longest, 10s);
}

TEST(Rivals, sglang_follows_the_prefix_until_loads_are_far_apart) {
  Bench bench("rival:sglang");
  EXPECT_EQ(bench.pick({1, 0}, {1, 2, 3, 4}), 1);
  EXPECT_EQ(bench.pick({0, 5}, {1, 2, 3, 9}), 1) << "3 of 4 blocks are known";
  EXPECT_EQ(bench.pick({0, 5}, {1, 7, 8, 6}), 0) << "1 of 4 is below 0.3";
  EXPECT_EQ(bench.pick({0, 64}, {1, 2, 3, 4}), 1);
  EXPECT_EQ(bench.pick({0, 65}, {1, 2, 3, 4}), 0) << "out of balance";
  EXPECT_EQ(bench.pick({150, 200}, {1, 2, 3, 9}), 1) << "not by half as much again";
}

TEST(Rivals, llm_d_stays_with_the_warm_until_they_are_saturated) {
  Bench bench("rival:llm_d");
  const Blocks prefix{1, 2, 3, 4, 5};
  EXPECT_EQ(bench.pick({0, 0}, prefix), 0);
  EXPECT_EQ(bench.pick({0, 0}, {9, 8, 7, 6, 5}), 1) << "node 0 has 1,000 tokens to read";
  EXPECT_EQ(bench.pick({9, 0}, {1, 2, 3, 4, 6}), 0) << "4 of 5 known";
  bench.rival->first_token(1, 0);
  // 16 s of reading at node 0 are not too much, 32 s are.
  EXPECT_EQ(bench.pick({0, 0}, {21, 22}, 254'848), 0);
  EXPECT_EQ(bench.pick({0, 0}, prefix), 0);
  EXPECT_EQ(bench.pick({0, 0}, {1, 2, 3, 4, 7}, 5 * 254'848), 0) << "a fifth of it is to be read";
  EXPECT_EQ(bench.pick({0, 0}, prefix), 1);
}

TEST(Rivals, aibrix_takes_the_best_match_within_a_deviation) {
  Bench bench("rival:aibrix");
  EXPECT_EQ(bench.pick({1, 0, 1}, {1, 2, 3, 4}), 1);
  EXPECT_EQ(bench.pick({0, 1, 4}, {1, 2, 3, 4}), 1) << "mean 1.7 and deviation 1.7";
  EXPECT_EQ(bench.pick({0, 6, 1}, {1, 2, 3, 4}), 0) << "6 is above 2.3 + 2.6";
  EXPECT_EQ(bench.pick({0, 6, 1}, {1, 2, 3, 4}), 0) << "which knows it now";
  EXPECT_EQ(bench.pick({9, 1, 0}, {1, 2, 3, 4}), 2) << "9 apart";
  EXPECT_EQ(bench.pick({0, 1, 0}, {5, 6}), 0) << "nobody matches";
}

TEST(Rivals, llm_d_scores_weigh_prefix_queue_and_free_cache) {
  Bench bench("rival:llm_d_scores");
  EXPECT_EQ(bench.pick({1, 0, 1}, {1, 2, 3, 4}), 1) << "nobody knows it: half a cache is worth 1";
  EXPECT_EQ(bench.pick({0, 2, 1}, {1, 2, 3, 4}), 1) << "3 for the prefix against 2 for a free cache";
  EXPECT_EQ(bench.pick({0, 3, 1}, {1, 2, 3, 4}), 0) << "which has a queue now, and loses 2 for it";
  EXPECT_EQ(bench.pick({2, 2, 1}, {1, 9, 9, 9}), 2) << "a quarter of the prefix is worth 0.75";
}

// Requests of programs on two nodes with 10,000 tokens each.
class Programs {
 public:
  // The node; -1: it waits. `tokens`: of its context.
  int ask(std::size_t program, std::uint64_t tokens) {
    const std::vector<Backend> backends{{.node = 0, .memory = 10'000}, {.node = 1, .memory = 10'000}};
    const Call call{.request = ++last, .model = 0, .bytes = tokens * 4, .program = program, .arrived = now};
    const auto picked = rival->pick(call, backends, now, random);
    return picked ? static_cast<int>(*picked) : -1;
  }
  void end(std::size_t request, std::size_t node, std::uint64_t tokens) {
    rival->ended({.request = request,
                  .node = node,
                  .durations = {.prompt_eval = 10s, .prompt_tokens = tokens, .cached_tokens = 0},
                  .now = now});
  }

  std::unique_ptr<Rival> rival = make_rival("rival:progress_ttl");
  Random random{1};
  Mono now{};
  std::size_t last = 0;
};

TEST(Rivals, progress_ttl_admits_programs_as_far_as_their_contexts_fit) {
  Programs programs;
  EXPECT_EQ(programs.ask(1, 6'000), 0);
  EXPECT_EQ(programs.ask(2, 6'000), 1);
  EXPECT_EQ(programs.ask(3, 6'000), -1);
  EXPECT_EQ(programs.ask(4, 1'000), -1) << "another one waits already";
  EXPECT_EQ(programs.ask(1, 6'500), 0) << "an active one stays";
  programs.end(2, 1, 6'000);  // no pause was seen yet: not kept
  EXPECT_EQ(programs.ask(3, 6'000), -1) << "a new request of the third, and the first one waits";
  programs.rival->refused(3);
  programs.rival->refused(4);
  programs.rival->refused(6);
  EXPECT_EQ(programs.ask(5, 6'000), 1);
}

TEST(Rivals, progress_ttl_keeps_a_place_while_tools_work_as_long_as_they_usually_do) {
  Programs programs;
  for (int turn = 0; turn <= 100; ++turn) {  // pauses of a second
    ASSERT_EQ(programs.ask(1, 6'000), 0);
    programs.end(programs.last, 0, 6'000);
    programs.now += 1s;
  }
  programs.now -= 1s;
  ASSERT_EQ(programs.ask(2, 6'000), 1);
  EXPECT_EQ(programs.ask(3, 6'000), -1) << "the first has its place still";
  programs.now += 32s;
  EXPECT_EQ(programs.ask(1, 6'000), -1) << "and no longer: it waits behind the third";
}

TEST(Rivals, progress_ttl_admits_who_has_waited_for_a_minute) {
  Programs programs;
  ASSERT_EQ(programs.ask(1, 6'000), 0);
  ASSERT_EQ(programs.ask(2, 6'000), 1);
  ASSERT_EQ(programs.ask(3, 9'000), -1);
  const std::vector<Backend> backends{{.node = 0, .memory = 10'000}, {.node = 1, .memory = 10'000}};
  const Call again{.request = 3, .model = 0, .bytes = 36'000, .program = 3, .arrived = programs.now};
  EXPECT_EQ(programs.rival->pick(again, backends, programs.now + 59s, programs.random), std::nullopt);
  EXPECT_TRUE(programs.rival->pick(again, backends, programs.now + 60s, programs.random));
}

TEST(PrefixMemory, forgets_the_ends_of_what_was_used_least_recently) {
  PrefixMemory memory(5);
  memory.remember(Blocks{1, 2, 3});
  memory.remember(Blocks{11, 12});
  EXPECT_EQ(memory.known(Blocks{1, 2, 9}), 2U);
  EXPECT_DOUBLE_EQ(memory.share(Blocks{1, 2, 3, 4}), 0.75);
  EXPECT_DOUBLE_EQ(memory.share({}), 0);
  memory.remember(Blocks{21});
  EXPECT_EQ(memory.known(Blocks{1, 2, 3}), 2U);
  memory.remember(Blocks{1, 2});
  memory.remember(Blocks{31, 32});
  EXPECT_EQ(memory.known(Blocks{1, 2}), 2U);
  EXPECT_EQ(memory.known(Blocks{11, 12}), 0U);
}

}  // namespace
}  // namespace drover::replay
