// Replays small enough to be worked out by hand, and the parts of large ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <fstream>

#include "replay/compare.h"
#include "replay/fleet_file.h"
#include "replay/ideal_cache.h"
#include "replay/informed.h"
#include "replay/models.h"
#include "replay/prompt_blocks.h"
#include "replay/rivals/rival_router.h"

namespace drover::replay {
namespace {

using namespace std::chrono_literals;

// Questions at given times.
class Listed final : public Workload {
 public:
  struct Entry {
    Duration at;
    Question question;
  };
  explicit Listed(std::deque<Entry> entries) : entries_(std::move(entries)) {}
  const std::vector<std::string>& models() const override {
    static const std::vector<std::string> names{"llama3.2:3b"};
    return names;
  }
  Mono next() const override { return entries_.empty() ? kNever : Mono{entries_.front().at}; }
  Question take() override {
    Question question = std::move(entries_.front().question);
    entries_.pop_front();
    return question;
  }

 private:
  std::deque<Entry> entries_;
};

Question question(engine::Sequence prompt, std::uint32_t answer) {
  return {.prompt = std::move(prompt), .answer = answer};
}

Fleet one_node(std::uint32_t slots, std::uint32_t context = 8'192) {
  return {{.name = "n",
           .card = "fast",
           .models = {*model_named("llama3.2:3b")},
           .slots = slots,
           .context = context,
           .every_token = false}};
}

load::Goal goal(std::string_view text) { return *load::Goal::parse(text); }

// A run on nodes as their cards say, 4 bytes a token.
class Small {
 public:
  Small(Fleet nodes, std::deque<Listed::Entry> entries)
      : fleet_(std::move(nodes)), workload_(std::move(entries)), stage_(fleet_, bytes_per_token_, workload_) {}

  Stage& run_scheduled(const balance::SchedulerSettings& settings = {}) {
    Scheduled router(stage_, workload_.models(), workload_.tenants(), {.scheduler = settings}, 1);
    stage_.run(router);
    return stage_;
  }
  Stage& run_informed(const InformedSettings& settings = {}) {
    Informed router(stage_, fleet_, workload_, settings);
    stage_.run(router);
    return stage_;
  }
  Stage& run_rival(std::string_view name, Binding binding = Binding::early) {
    RivalRouter router(stage_, make_rival(name), binding, {.most = 10, .longest = 1h}, 1);
    stage_.run(router);
    return stage_;
  }
  Figures figures(std::string_view limits) { return add_up(stage_.requests(), 0, {}, goal(limits)); }

 private:
  Fleet fleet_;
  std::vector<double> bytes_per_token_{4};
  Listed workload_;
  Stage stage_;
};

double ms(Mono at) { return seconds(at.time_since_epoch()) * 1e3; }

// The card `fast`, whose reference has 4.92 GB, 8.03e9 parameters and 131,072 bytes of context a token; the model has
// 2,019,377,376, 3,212,749,888 and 114,688: factors 0.41044 (weights), 0.40009 (arithmetic), 0.875 (attention).
//   load           400 + 2,019,377,376 / 5e9 s                            = 803.875 ms
//   handover                                                               4
//   read 100       0.3 + 100 x 0.12 x 0.40009 + 0.875 x 3e-6 x 100 x 50.5  =   5.1144
//   decode 10      10 x 6.8 x 0.41044 + 0.875 x 7e-5 x (101 + .. + 110)    =  27.9747
// and the second one, which waits for the slot: handover, the copy of the first prompt to the host's memory
// (100 x 0.006 x 0.875 = 0.525), the same again.
TEST(Stage, two_requests_on_one_slot_take_the_time_that_the_card_says) {
  Small small(one_node(1), {{0ms, question({{1, 100}}, 11)}, {0ms, question({{2, 100}}, 11)}});
  const auto requests = small.run_rival("rival:round_robin").requests();
  EXPECT_NEAR(ms(*requests[0].first_token), 812.990, 0.001);
  EXPECT_NEAR(ms(requests[0].ended), 840.964, 0.001);
  EXPECT_NEAR(ms(*requests[1].first_token), 850.604, 0.001);
  EXPECT_NEAR(ms(requests[1].ended), 878.578, 0.001);
  EXPECT_EQ(requests[0].load, 803'875'475ns);
  EXPECT_EQ(requests[1].usage.answer, 11U);

  const Figures figures = small.figures("ttft<820ms");
  EXPECT_EQ(figures.ok, 2U);
  EXPECT_NEAR(figures.first_token.p50, 0.812990, 1e-6);
  EXPECT_NEAR(figures.first_token.p95, 0.850604, 1e-6);
  EXPECT_NEAR(figures.end_to_end.mean, (0.840964 + 0.878578) / 2, 1e-6);
  EXPECT_NEAR(figures.per_token.p50, 0.00279747, 1e-7);
  EXPECT_NEAR(figures.waited.p50, 0.807875, 1e-6);
  EXPECT_DOUBLE_EQ(figures.good, 0.5);
  EXPECT_NEAR(figures.tokens_per_s, 22 / 0.878578, 0.01);
}

// Late binding costs a ping of 2 ms more here: the gateway's load ends, then the request comes to a warm node.
TEST(Stage, the_scheduler_loads_first_and_binds_when_a_slot_is_free) {
  Small small(one_node(1), {{0ms, question({{1, 100}}, 11)}, {0ms, question({{2, 100}}, 11)}});
  Stage& stage = small.run_scheduled();
  const auto requests = stage.requests();
  EXPECT_NEAR(ms(requests[0].started), 803.875, 0.001);
  EXPECT_NEAR(ms(*requests[0].first_token), 814.990, 0.001);
  EXPECT_EQ(requests[1].started, requests[0].ended);
  EXPECT_NEAR(ms(*requests[1].first_token), 854.604, 0.001);
  EXPECT_EQ(stage.node(0).loads(), 1U);
}

// Two nodes of one slot: early, round robin sends the third request behind the first, which is long; late, it takes the
// slot of the second, which is short.
TEST(Stage, a_rival_binds_early_or_in_a_queue_like_ours) {
  Fleet fleet = one_node(1);
  fleet.push_back(fleet[0]);
  const std::deque<Listed::Entry> asked{
      {0ms, question({{1, 100}}, 1'000)}, {0ms, question({{2, 100}}, 10)}, {0ms, question({{3, 100}}, 10)}};
  Small early(fleet, asked), late(fleet, asked);
  const auto at_once = early.run_rival("rival:round_robin").requests();
  EXPECT_EQ(at_once[2].node, 0U);
  EXPECT_EQ(at_once[2].started, Mono{});
  const auto queued = late.run_rival("rival:round_robin", Binding::late).requests();
  EXPECT_EQ(queued[2].node, 1U);
  EXPECT_EQ(queued[2].started, queued[1].ended);
}

Fleet fast_and_slow() {
  Fleet fleet = one_node(1);
  fleet.push_back(fleet[0]);
  fleet[1].name = "s";
  fleet[1].card = "slow";
  return fleet;
}

// An answer of 1,000 tokens takes 2.8 s on the fast card and 15 s on the slow one: two of them go to the fast one, one
// after the other. One that is short had better not wait.
TEST(Informed, waits_for_the_fast_node_if_the_answer_is_long_and_not_if_it_is_short) {
  // The first one is so long that the second one has the slow node load.
  const std::deque<Listed::Entry> warm{{0s, question({{1, 100}}, 2'000)}, {0s, question({{2, 100}}, 10)}};
  for (const auto& [answer, node] : {std::pair(1'000U, 0U), std::pair(20U, 1U)}) {
    auto asked = warm;
    asked.push_back({60s, question({{3, 100}}, 1'000)});
    asked.push_back({60s, question({{4, 100}}, answer)});
    Small small(fast_and_slow(), asked);
    const auto requests = small.run_informed().requests();
    EXPECT_EQ(requests[2].node, 0U);
    EXPECT_EQ(requests[3].node, node) << answer;
  }
}

TEST(Informed, finds_on_a_node_what_it_has_and_in_a_pooled_cache_what_any_has) {
  for (const bool pooled : {false, true}) {
    Small small(fast_and_slow(), {{0s, question({{1, 100}}, 2'000)},
                                  {0s, question({{2, 100}}, 10)},
                                  {60s, question({{3, 4'000}, {4, 10}}, 1'000)},
                                  {61s, question({{3, 4'000}, {5, 10}}, 10)}});
    const auto requests = small.run_informed({.pooled = pooled}).requests();
    EXPECT_EQ(requests[2].node, 0U);
    EXPECT_EQ(requests[3].usage.cached, pooled || requests[3].node == 0 ? 4'000U : 0U);
    if (pooled) EXPECT_EQ(requests[3].node, 1U) << "which need not read it";
  }
}

TEST(Informed, one_tenant_may_go_before_all_others_and_interrupts_nobody) {
  std::deque<Listed::Entry> asked;
  asked.push_back({0s, question({{9, 100}}, 1)});  // loads the model
  for (engine::TokenHash i = 0; i < 4; ++i) asked.push_back({10s + 1ms * i, question({{i, 100}}, 100)});
  asked[4].question.tenant = 1;
  Small small(one_node(1), asked);
  const auto requests = small.run_informed({.first = 1}).requests();
  EXPECT_LT(requests[1].started, requests[4].started);
  EXPECT_EQ(requests[4].started, requests[1].ended);
  EXPECT_LT(requests[4].started, requests[2].started);
  EXPECT_LT(requests[2].started, requests[3].started);
}

TEST(Stage, who_is_refused_waits_for_ever_and_misses_the_goal) {
  std::deque<Listed::Entry> entries;
  for (engine::TokenHash i = 0; i < 4; ++i) entries.push_back({0ms, question({{i, 100}}, 5)});
  Small small(one_node(1), std::move(entries));
  balance::SchedulerSettings settings;
  settings.max_queue = 1;
  small.run_scheduled(settings);
  const Figures figures = small.figures("e2e<10s");
  EXPECT_EQ(figures.requests, 4U);
  EXPECT_EQ(figures.ok, 1U);
  EXPECT_EQ(figures.refused, 3U);
  EXPECT_TRUE(std::isinf(figures.end_to_end.p50));
  EXPECT_TRUE(std::isinf(figures.first_token.mean));
  EXPECT_DOUBLE_EQ(figures.good, 0.25);
}

TEST(Stage, who_fits_no_context_is_left_out_and_who_fits_some_goes_there) {
  Fleet fleet = one_node(1, 1'000);
  fleet.push_back(one_node(1, 4'000)[0]);
  fleet[1].name = "large";
  Small small(fleet,
              {{0ms, question({{1, 3'999}}, 2)}, {1s, question({{2, 3'990}}, 10)}, {1s, question({{3, 3'000}}, 9)}});
  const auto requests = small.run_scheduled().requests();
  EXPECT_EQ(requests[0].end, End::left_out);
  EXPECT_EQ(requests[1].node, 1U);
  EXPECT_EQ(requests[2].node, 1U);
  const Figures figures = small.figures("e2e<1h");
  EXPECT_EQ(figures.left_out, 1U);
  EXPECT_EQ(figures.requests, 2U);
  EXPECT_DOUBLE_EQ(figures.good, 1);
}

TEST(Summary, a_percentile_is_the_least_value_that_so_many_do_not_exceed) {
  std::vector<double> times;
  for (int i = 100; i > 0; --i) times.push_back(i);
  const Summary summary = summarise(times);
  EXPECT_DOUBLE_EQ(summary.mean, 50.5);
  EXPECT_DOUBLE_EQ(summary.p50, 50);
  EXPECT_DOUBLE_EQ(summary.p95, 95);
  EXPECT_DOUBLE_EQ(summary.p99, 99);
  std::vector<double> none;
  EXPECT_TRUE(std::isnan(summarise(none).p50));
}

// Three prompts of two blocks of 500 tokens: a b, a c, a b.
TEST(IdealCaches, three_prompts_that_begin_alike) {
  const std::vector<Question> asked{question({{1, 500}, {2, 500}}, 10), question({{1, 500}, {3, 500}}, 10),
                                    question({{1, 500}, {2, 500}}, 10)};
  InfiniteCache infinite;
  EXPECT_EQ(infinite.read(asked[0]), 0U);
  EXPECT_EQ(infinite.read(asked[1]), 500U);
  EXPECT_EQ(infinite.read(asked[2]), 999U);  // the last token is always read

  // In its slots and the host's memory there is room for all.
  PooledCache pooled(one_node(2), *model_named("llama3.2:3b"));
  EXPECT_EQ(pooled.read(asked[0]), 0U);
  EXPECT_EQ(pooled.read(asked[1]), 500U);
  EXPECT_EQ(pooled.read(asked[2]), 999U);

  // Room for one: a prompt finds what the one before it left.
  Fleet bare = one_node(1, 1'000);
  bare[0].machine.cache = 0;
  PooledCache least(bare, *model_named("llama3.2:3b"));
  EXPECT_EQ(least.read(asked[0]), 0U);
  EXPECT_EQ(least.read(asked[1]), 500U);
  EXPECT_EQ(least.read(asked[2]), 500U);

  Fleet blocks = one_node(2, 1'024);
  blocks[0].engine = engine::EngineKind::vllm;
  PooledCache paged(blocks, *model_named("llama3.2:3b"));
  EXPECT_EQ(paged.read(asked[0]), 0U);
  EXPECT_EQ(paged.read(asked[1]), 496U);  // 31 whole blocks of 16
  EXPECT_EQ(paged.read(asked[2]), 992U);
}

TEST(IdealCaches, an_answer_is_known_but_for_its_last_token) {
  Question first = question({{1, 100}}, 10);
  first.answer_name = 7;
  Question second = question({{1, 100}}, 10);
  for (std::uint32_t i = 0; i < 10; ++i) second.prompt.emplace_back(answer_token(7, i));
  second.prompt.emplace_back(9, 50);
  InfiniteCache infinite;
  EXPECT_EQ(infinite.read(first), 0U);
  EXPECT_EQ(infinite.read(second), 109U);
}

TEST(PromptBlocks, equal_beginnings_have_equal_hashes_and_no_others) {
  std::vector<std::uint64_t> one, other;
  chain_blocks({{1, 512}, {2, 512}}, 4, one);
  chain_blocks({{1, 512}, {3, 512}}, 4, other);
  ASSERT_EQ(one.size(), 1024U * 4 / balance::kPrefixBlock);
  ASSERT_EQ(other.size(), one.size());
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i] == other[i], i < 8) << i;
  chain_blocks({{1, 512}, {2, 100}}, 4, other);
  EXPECT_EQ(other.size(), 612U * 4 / balance::kPrefixBlock);
  EXPECT_NE(other[8], one[8]) << "a shorter piece is another";
  chain_blocks({{1, 10}}, 4, one);
  EXPECT_TRUE(one.empty());
}

// Text of whose tokens some are single and some in runs, at a number of bytes that divides nothing.
TEST(PromptBlocks, there_is_one_for_each_whole_block_of_text) {
  for (const double bytes : {2.8, 3.7, 5.2}) {
    engine::Sequence prompt{{1, 333}};
    for (engine::TokenHash i = 0; i < 500; ++i) prompt.emplace_back(100 + i);
    std::vector<std::uint64_t> blocks;
    chain_blocks(prompt, bytes, blocks);
    EXPECT_EQ(blocks.size(), static_cast<std::size_t>(833 * bytes / balance::kPrefixBlock)) << bytes;
  }
}

TEST(Fleet, presets_hold_what_fits) {
  const std::vector<std::string> names{"llama3.2:3b", "phi4:14b"};
  EXPECT_EQ(fleet_preset("two", {names, 8'192})->size(), 2U);
  EXPECT_EQ(fleet_preset("hundred", {names, 8'192})->size(), 100U);
  EXPECT_FALSE(fleet_preset("three", {names, 8'192}));
  const Fleet fleet = *fleet_preset("eight", {names, 8'192});
  ASSERT_EQ(fleet.size(), 8U);
  EXPECT_EQ(fleet[0].models.size(), 2U);
  EXPECT_EQ(fleet[0].slots, 8U);
  EXPECT_EQ(fleet[7].card, "small");
  EXPECT_EQ(fleet[7].models.size(), 1U) << "8 GiB hold no model of 9 GB";
  EXPECT_TRUE(sim::validate({.nodes = fleet}));
}

TEST(Fleet, the_truth_is_within_the_spread_and_a_seed_decides_it) {
  Fleet fleet = *fleet_preset("hundred", {{"llama3.2:3b"}, 8'192});
  Fleet same = fleet, other = fleet;
  make_true(fleet, {.spread = 0.3}, 1);
  make_true(same, {.spread = 0.3}, 1);
  make_true(other, {.spread = 0.3, .host_cache = false}, 2);
  double least = 1, most = 1;
  for (std::size_t i = 0; i < fleet.size(); ++i) {
    for (const double factor : {fleet[i].machine.weights, fleet[i].machine.arithmetic, fleet[i].machine.loads}) {
      least = std::min(least, factor);
      most = std::max(most, factor);
    }
    EXPECT_EQ(fleet[i].machine.weights, same[i].machine.weights);
    EXPECT_NE(fleet[i].machine.weights, other[i].machine.weights);
    EXPECT_EQ(other[i].machine.cache, 0);
  }
  EXPECT_NEAR(least, 0.7, 0.02);
  EXPECT_NEAR(most, 1.3, 0.02);
}

TEST(FleetFile, says_what_machines_there_are) {
  const Needs needs{{"llama3.2:3b", "phi4:14b"}, 8'192};
  const auto fleet = parse_fleet(
      "nodes:\n"
      "  - card: fast\n"
      "    name: big\n"
      "    slots: 3\n"
      "    context: 4096\n"
      "    max_loaded: 1\n"
      "    models: [Mistral:7b]\n"
      "  - {card: small, count: 2}\n"
      "  - slow\n",
      "f.yaml", needs);
  ASSERT_TRUE(fleet) << config::to_blocks(fleet.error());
  ASSERT_EQ(fleet->size(), 4U);
  const sim::NodeSettings& big = fleet->front();
  EXPECT_EQ(std::tuple(big.name, big.card, big.slots, big.context, big.max_loaded),
            std::tuple("big", "fast", 3U, 4'096U, 1U));
  ASSERT_EQ(big.models.size(), 1U);
  EXPECT_EQ(big.models[0].spec.name, "mistral:7b");
  EXPECT_EQ((*fleet)[1].name, "small-1");
  EXPECT_EQ((*fleet)[2].name, "small-2");
  EXPECT_EQ((*fleet)[2].models.size(), 1U);
  EXPECT_EQ((*fleet)[3].name, "slow-1");
  EXPECT_EQ((*fleet)[3].slots, 4U);
}

TEST(FleetFile, tells_every_mistake_with_its_place) {
  const std::string known_cards =
      "fast, slow, small, measured, rtx3090, rtx4090, rtx5090, l4, l40s, a100-80g, h100, rx7900xtx, m2-ultra";
  const Needs needs{{"llama3.2:3b"}, 8'192};
  const auto faults = [&](std::string_view text) {
    const auto fleet = parse_fleet(text, "f.yaml", needs);
    std::string all;
    for (const auto& fault : fleet ? std::vector<config::ConfigError>{} : fleet.error()) all += to_text(fault) + "\n";
    return all;
  };
  EXPECT_EQ(
      faults("nodes:\n  - {card: fest, count: 0}\n  - {card: slow, models: [gpt-9], memory: 5}\n"),
      "f.yaml:2:12: nodes[0].card: \"fest\" is no card; expected one of " + known_cards +
          "\n"
          "f.yaml:2:25: nodes[0].count is 0; expected a whole number from 1 to 1000\n"
          "f.yaml:3:27: nodes[1].models[0]: \"gpt-9\" is no model; expected one of llama3.2:3b, qwen3:8b, gemma3:4b, "
          "nomic-embed-text:latest, llama3.3:70b, llama3.1:8b, mistral:7b, phi4:14b\n"
          "f.yaml:3:35: unknown key \"memory\" in nodes[1]; expected name, card, count, slots, context, max_loaded or "
          "models\n");
  EXPECT_EQ(faults("nodes: []\n"), "f.yaml:1:1: there are no nodes; expected a list of cards\n");
  EXPECT_EQ(faults("nodes:\n  - {name: a, card: fast}\n  - {name: a, card: fast}\n  - {name: b}\n"),
            "f.yaml:3:12: nodes[1].name is \"a\", which another one has; expected another\n"
            "f.yaml:4:5: nodes[2].card is missing; expected one of " +
                known_cards + "\n");
}

TEST(FleetFile, what_if_there_were_others) {
  const Needs needs{{"llama3.2:3b"}, 8'192};
  const auto cards = [&](std::string_view change) {
    Fleet fleet = *fleet_preset("two", needs);
    const auto changed = change_fleet(fleet, change, needs);
    if (!changed) return changed.error().detail;
    std::string names;
    for (const sim::NodeSettings& node : fleet) names += node.name + " ";
    return names;
  };
  EXPECT_EQ(cards("add 2 x small"), "fast-1 slow-1 small-1 small-2 ");
  EXPECT_EQ(cards("add 1 x fast"), "fast-1 slow-1 fast-2 ");
  EXPECT_EQ(cards("add 1 x rtx4090"), "fast-1 slow-1 rtx4090-1 ");
  EXPECT_EQ(cards(" remove 1 x fast,add 1 x slow "), "slow-1 slow-2 ");
  EXPECT_EQ(cards("remove 1 x slow-1"), "fast-1 ");
  EXPECT_EQ(cards("remove 1 x fas"), "\"remove 1 x fas\": the fleet has no more of them");
  EXPECT_EQ(cards("remove 2 x slow"), "\"remove 2 x slow\": the fleet has no more of them");
  EXPECT_EQ(cards("remove 1 x slow, remove 1 x fast"), "nothing of the fleet would be left");
  for (const std::string_view wrong : {"", "add", "add 1 fast", "add -1 x fast", "add 1.5 x fast", "add 0 x fast",
                                       "add 1 x rtx9999", "add 1 x fast fast", "buy 1 x fast", "add 1 x fast,"}) {
    EXPECT_NE(cards(wrong).find("is no change of a fleet"), std::string::npos) << wrong;
  }
}

// A program's prompts each begin with the one before and its answer.
TEST(Agents, contexts_grow_by_answer_and_tool) {
  const auto workload = synthetic_workload({.kind = Synthetic::agents, .rate = 1, .limit = 300, .seed = 3});
  std::map<std::size_t, Question> last;
  std::map<std::size_t, std::size_t> turns;
  std::size_t asked = 0;
  for (; workload->next() != kNever; ++asked) {
    const Mono at = workload->next();
    const Question now = workload->take();
    const auto before = last.find(*now.program);
    if (before != last.end()) {
      engine::Sequence beginning = before->second.prompt;
      for (std::uint32_t i = 0; i < before->second.answer; ++i) {
        beginning.emplace_back(answer_token(*before->second.answer_name, i));
      }
      ASSERT_GT(now.prompt.size(), beginning.size());
      EXPECT_TRUE(std::ranges::equal(beginning, std::span(now.prompt).first(beginning.size())));
    } else {
      EXPECT_EQ(engine::token_count(now.prompt), 1'000U);
    }
    EXPECT_LE(engine::token_count(now.prompt) + now.answer, 24'000U);
    ++turns[*now.program];
    last[*now.program] = now;
    workload->ended(asked, true, at + 1s);
  }
  EXPECT_GE(asked, 300U);
  for (const auto& [program, count] : turns) EXPECT_LE(count, 40U);
  for (const Workload::Program& program : workload->programs()) EXPECT_NE(program.ended, kNever);
  EXPECT_EQ(workload->lost(), 0U);
}

TEST(Agents, a_refusal_ends_the_program) {
  const auto workload = synthetic_workload({.kind = Synthetic::agents, .rate = 1, .limit = 5, .seed = 1});
  std::uint64_t asked = 0;
  for (; workload->next() != kNever; ++asked) {
    const Mono at = workload->next();
    workload->take();
    workload->ended(asked, false, at);
  }
  EXPECT_EQ(workload->programs().size(), asked) << "each asked once";
  EXPECT_GE(workload->lost() + asked, 5U);
  for (const Workload::Program& program : workload->programs()) EXPECT_EQ(program.ended, kNever);
}

TEST(Swap, popularity_follows_zipf) {
  const auto workload = synthetic_workload({.kind = Synthetic::swap, .rate = 5, .limit = 20'000, .seed = 1});
  std::vector<double> counts(6);
  Mono last{};
  while (workload->next() != kNever) {
    last = workload->next();
    ++counts[workload->take().model];
  }
  EXPECT_NEAR(20'000 / seconds(last.time_since_epoch()), 5, 0.2);
  EXPECT_NEAR(counts[0] / counts[1], 2, 0.15);
  EXPECT_NEAR(counts[0] / counts[5], 6, 0.6);
}

TEST(Trace, comes_at_its_own_speed_or_at_a_rate) {
  const std::string path = testing::TempDir() + "replay_trace.jsonl";
  std::ofstream(path) << R"({"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]})" << "\n"
                      << R"({"timestamp": 4000, "input_length": 512, "output_length": 6, "hash_ids": [0]})" << "\n"
                      << R"({"timestamp": 9000, "input_length": 10, "output_length": 7, "hash_ids": [2]})" << "\n";
  const auto twice = read_trace({.path = path, .speed = 2});
  ASSERT_TRUE(twice);
  EXPECT_TRUE(twice->has_blocks);
  EXPECT_EQ(twice->requests[1].at, 2s);
  const auto two = read_trace({.path = path, .limit = 2, .rate = 0.25});
  ASSERT_TRUE(two);
  ASSERT_EQ(two->requests.size(), 2U);
  EXPECT_EQ(two->requests[1].at, 8s) << "two requests in eight seconds";
  const auto workload = trace_workload(*twice);
  EXPECT_EQ(workload->take().prompt, (engine::Sequence{{0, 512}, {1, 88}}));
  EXPECT_EQ(workload->next(), Mono{2s});
  EXPECT_EQ(read_trace({.path = path + "x"}).error().code, ErrorCode::invalid);
}

// Two turns of one conversation and a request without hashes, by two names of models.
TEST(Trace, an_access_log_has_models_sessions_and_beginnings_measured_in_tokens) {
  const std::string path = testing::TempDir() + "replay_access.log";
  const auto line = [](std::string_view second, std::string_view model, int prompt, std::string_view rest) {
    return fmt::format(R"({{"@timestamp":"2026-11-21T09:54:{}Z","drover.outcome":"ok","gen_ai.request.model":"{}",)"
                       R"("gen_ai.usage.input_tokens":{},"gen_ai.usage.output_tokens":5{}}})"
                       "\n",
                       second, model, prompt, rest);
  };
  std::ofstream(path) << line("10", "Qwen3:8b", 50, "")
                      << line("03", "my/coder:7b", 1'000, R"(,"drover.session":"aa","drover.prefix_hashes":["1","2"])")
                      << line("07", "my/coder:7b", 1'400,
                              R"(,"drover.session":"aa","drover.prefix_hashes":["1","2","3"])")
                      << R"({"@timestamp":"2026-11-21T09:55:00Z","drover.outcome":"refused"})" << "\n";
  EXPECT_EQ(read_trace({.path = path}).error().detail.substr(0, 91),
            "the trace asks for my/coder:7b, which replay does not know; say which model each is like, a");
  EXPECT_EQ(read_trace({.path = path, .like = {"my/coder:7b"}}).error().detail.substr(0, 37),
            "--like is \"my/coder:7b\"; expected NAM");
  const auto trace = read_trace({.path = path, .like = {"my/coder:7b=mistral:7b"}});
  ASSERT_TRUE(trace) << trace.error().detail;
  EXPECT_TRUE(trace->has_blocks);
  EXPECT_EQ(trace->left_out.refused, 1U);
  EXPECT_TRUE(trace->tenants.empty());
  const auto workload = trace_workload(*trace);
  EXPECT_EQ(workload->models(), (std::vector<std::string>{"mistral:7b", "qwen3:8b"}));
  const Question first = workload->take();
  EXPECT_EQ(first.prompt, (engine::Sequence{{1, 400}, {2, 400}, {std::uint64_t{1} << 63, 200}}))
      << "2,400 tokens in 2.5 + 3.5 blocks";
  EXPECT_EQ(workload->next(), Mono{4s});
  const Question second = workload->take();
  EXPECT_EQ(first.program, second.program);
  EXPECT_EQ(engine::common_tokens(first.prompt, second.prompt), 800U);
  EXPECT_EQ(workload->take().model, 1U);
}

TEST(Trace, without_a_request_is_refused) {
  const std::string path = testing::TempDir() + "replay_empty.csv";
  std::ofstream(path) << "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  EXPECT_EQ(read_trace({.path = path}).error().detail, path + ": there is no request in it");
}

Scenario scenario(Synthetic kind, double rate, std::uint64_t limit) {
  Scenario made{.synthetic = {.kind = kind, .rate = rate, .limit = limit}, .fleet = {}, .goal = goal("ttft<2s")};
  made.fleet = *fleet_preset("two", {models_of(made), kind == Synthetic::agents ? 32'768U : 8'192U});
  return made;
}

TEST(Replay, equal_seeds_give_equal_figures) {
  for (const Synthetic kind : {Synthetic::swap, Synthetic::agents, Synthetic::tenants}) {
    const Scenario each = scenario(kind, 0.2, 60);
    for (const std::string& policy : policy_names()) {
      const Json first = to_json(replay(each, policy, 5));
      EXPECT_EQ(first, to_json(replay(each, policy, 5))) << policy;
      EXPECT_NE(first, to_json(replay(each, policy, 6))) << policy;
    }
  }
}

TEST(Replay, every_request_ends_under_every_policy) {
  const Scenario each = scenario(Synthetic::swap, 20, 500);  // far more than the nodes can serve
  for (const std::string& policy : policy_names()) {
    const Figures figures = replay(each, policy, 1);
    EXPECT_EQ(figures.requests, 500U) << policy;
    EXPECT_EQ(figures.ok + figures.refused, 500U) << policy;
    EXPECT_GT(figures.ok, 40U) << policy;
    EXPECT_GE(figures.loads, 6U) << policy;
    EXPECT_LE(figures.evictions, figures.loads) << policy;
  }
}

TEST(Replay, no_cache_has_more_than_the_infinite_one) {
  const Figures figures = replay(scenario(Synthetic::agents, 0.05, 500), "least_connections", 1);
  ASSERT_TRUE(figures.reuse);
  EXPECT_GT(figures.reuse->cached, 0.1);
  EXPECT_LE(figures.reuse->cached, figures.reuse->infinite);
  EXPECT_LE(figures.reuse->pooled, figures.reuse->infinite);
  EXPECT_LT(figures.reuse->cached_beyond, figures.reuse->cached) << "all programs begin with 600 tokens";
  EXPECT_LT(figures.reuse->pooled_beyond, figures.reuse->pooled);
  ASSERT_TRUE(figures.program);
  EXPECT_GT(figures.program->p50, figures.end_to_end.p50);
}

TEST(Replay, a_warm_fleet_need_not_load_first) {
  Scenario warm = scenario(Synthetic::tenants, 1, 100);
  warm.warm = true;
  for (const std::string_view policy : {"least_connections", "rival:random", "informed"}) {
    const Figures figures = replay(warm, policy, 1);
    EXPECT_EQ(figures.loads, 0U) << policy;
    EXPECT_EQ(figures.ok, 100U) << policy;
  }
  warm = scenario(Synthetic::swap, 1, 100);
  warm.warm = true;
  EXPECT_GT(replay(warm, "least_connections", 1).loads, 0U) << "six models do not fit";
}

TEST(Replay, without_reuse_every_prompt_is_read_whole) {
  Scenario unlike = scenario(Synthetic::agents, 0.05, 200);
  const double cached = replay(unlike, "least_connections", 1).end_to_end.mean;
  unlike.reuse = false;
  const Figures figures = replay(unlike, "least_connections", 1);
  EXPECT_FALSE(figures.reuse);
  EXPECT_TRUE(figures.program);
  EXPECT_GT(figures.end_to_end.mean, 1.2 * cached);
}

TEST(Replay, a_modest_tenant_is_compared_with_being_first_and_being_alone) {
  const Figures figures = replay(scenario(Synthetic::tenants, 15, 2'000), "least_connections", 1);
  ASSERT_TRUE(figures.fairness && figures.fairness->prior && figures.fairness->alone);
  const Fairness& fairness = *figures.fairness;
  EXPECT_EQ(fairness.tenants[fairness.modest].name, "modest");
  EXPECT_LE(fairness.alone->waited.p95, fairness.prior->waited.p95);
  // The greedy one's waits are forty times as long: its bound of the queue refuses some of it.
  EXPECT_LT(fairness.tenants[fairness.modest].waited.p95, 2 * fairness.prior->waited.p95);
  EXPECT_EQ(fairness.tenants[fairness.modest].ok, fairness.tenants[fairness.modest].requests);
  ASSERT_TRUE(figures.told);
  EXPECT_LT(figures.told->p50, 0.3);
  EXPECT_FALSE(replay(scenario(Synthetic::tenants, 1, 50), "rival:random+queue", 1).fairness->prior);
}

TEST(Replay, a_fleet_must_hold_what_is_asked_for) {
  Scenario each = scenario(Synthetic::swap, 1, 10);
  EXPECT_TRUE(validate(each));
  each.fleet = *fleet_preset("two", {{"phi4:14b"}, 8'192});
  EXPECT_EQ(validate(each).error().detail, "the workload asks for llama3.2:3b, and no node of the fleet holds it");
}

TEST(Bootstrap, is_as_wide_as_chance_makes_a_mean) {
  const std::vector<double> equal(10, 0.25);
  const Interval none = bootstrap_mean(equal, Random(1));
  EXPECT_DOUBLE_EQ(none.low, 0.25);
  EXPECT_DOUBLE_EQ(none.high, 0.25);
  // Half zeros and half ones: the mean's standard deviation is 0.5 / sqrt(400) = 0.025, so 95 % lie within 0.049.
  std::vector<double> coins(400);
  for (std::size_t i = 0; i < coins.size(); i += 2) coins[i] = 1;
  const Interval half = bootstrap_mean(coins, Random(1));
  EXPECT_DOUBLE_EQ(half.mean, 0.5);
  EXPECT_NEAR(half.low, 0.451, 0.004);
  EXPECT_NEAR(half.high, 0.549, 0.004);
}

TEST(Compare, pairs_by_seed_and_does_not_depend_on_threads) {
  const Scenario each = scenario(Synthetic::swap, 1, 300);
  const std::vector<std::string> policies{"least_connections", "rival:random"};
  std::size_t told = 0;
  const auto count = [&told](std::size_t ended) { told = ended; };
  const Results one = compare(each, {.policies = policies, .first_seed = 3, .seeds = 4, .jobs = 1}, count);
  const Results four = compare(each, {.policies = policies, .first_seed = 3, .seeds = 4, .jobs = 4}, count);
  EXPECT_EQ(told, 8U);
  for (std::size_t policy = 0; policy < 2; ++policy) {
    for (std::size_t seed = 0; seed < 4; ++seed) {
      EXPECT_EQ(to_json(one.policies[policy].runs[seed]), to_json(four.policies[policy].runs[seed]));
    }
  }
  EXPECT_EQ(to_json(one.policies[1].runs[2]), to_json(replay(each, "rival:random", 5)));
  const auto loads = std::ranges::find(figures(), "loads", &Figure::name);
  const auto same = against(one.policies[0], one.policies[0], *loads);
  ASSERT_TRUE(same);
  EXPECT_EQ(same->mean, 0);
  const auto refused = std::ranges::find(figures(), "left_out", &Figure::name);
  EXPECT_FALSE(against(one.policies[0], one.policies[1], *refused)) << "nothing is a part of zero";
}

}  // namespace
}  // namespace drover::replay
