// The engine's rules on small numbers; measured_test.cpp holds it against a real one.
#include <gtest/gtest.h>

#include <map>

#include "engine/card.h"
#include "engine/memory.h"
#include "engine/prompt_cache.h"
#include "engine/runner.h"

namespace drover::engine {
namespace {

using namespace std::chrono_literals;

// One millisecond for each thing, so that the expected times are sums in the head.
StepCosts simple_costs() {
  return {.decode = {Cost{10}, Cost{12}}, .context = Cost{0}, .prompt = Cost{1}, .prompt_context = Cost{0}};
}

// A conversation's prompt of `size` tokens and its answer go on in one sequence, as they do in a real one.
Job job_of(std::uint64_t id, std::uint64_t talk, std::size_t size, std::uint32_t answer) {
  Job job{.id = JobId{id}, .prompt = {}, .answer = answer, .token = {}};
  for (std::size_t i = 0; i < size; ++i) job.prompt.push_back(talk * 1'000'000 + i);
  job.token = [talk, size](std::uint32_t index) { return talk * 1'000'000 + size + index; };
  return job;
}

struct Outcome {
  std::vector<Mono> tokens;
  JobUsage usage;
  bool finished = false;
};

std::map<JobId, Outcome> run(Runner& runner, Mono until = Mono{} + 1h) {
  std::map<JobId, Outcome> outcomes;
  for (const RunnerEvent& event : runner.advance(until)) {
    Outcome& outcome = outcomes[event.job];
    if (event.kind == RunnerEvent::Kind::token) {
      EXPECT_EQ(event.index, outcome.tokens.size());
      outcome.tokens.push_back(event.at);
    } else {
      outcome.usage = event.usage;
      outcome.finished = true;
    }
  }
  return outcomes;
}

TEST(Runner, reads_the_prompt_then_gives_a_token_a_step) {
  Runner runner(simple_costs(), {});
  runner.submit(job_of(1, 1, 100, 3), Mono{});
  const Outcome outcome = run(runner)[JobId{1}];
  EXPECT_EQ(outcome.tokens, (std::vector<Mono>{Mono{} + 100ms, Mono{} + 110ms, Mono{} + 120ms}));
  EXPECT_EQ(outcome.usage.prompt, 100U);
  EXPECT_EQ(outcome.usage.answer, 3U);
  EXPECT_EQ(outcome.usage.prompt_time, 100ms);
  EXPECT_EQ(outcome.usage.answer_time, 20ms);
  EXPECT_TRUE(runner.idle());
  EXPECT_EQ(runner.next_event(), kNever);
}

TEST(Runner, only_reads_the_prompt_of_an_embedding) {
  Runner runner(simple_costs(), {});
  runner.submit(job_of(1, 1, 50, 0), Mono{});
  const Outcome outcome = run(runner)[JobId{1}];
  EXPECT_TRUE(outcome.tokens.empty());
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.usage.prompt_time, 50ms);
}

TEST(Runner, lets_what_does_not_fit_its_slots_wait_in_order_without_a_limit) {
  Runner runner(simple_costs(), {.slots = 1});
  for (std::uint64_t id = 1; id <= 700; ++id) runner.submit(job_of(id, id, 10, 1), Mono{});
  EXPECT_EQ(runner.waiting(), 699U);
  const auto outcomes = run(runner);
  for (std::uint64_t id = 1; id <= 700; ++id) {
    EXPECT_EQ(outcomes.at(JobId{id}).usage.waited, 10ms * (id - 1)) << "job " << id;
  }
}

TEST(Runner, a_long_prompt_stops_everybody) {
  Runner runner(simple_costs(), {.slots = 2});
  runner.submit(job_of(1, 1, 10, 20), Mono{});
  runner.submit(job_of(2, 2, 1'500, 1), Mono{});
  const auto outcomes = run(runner);
  Duration longest{};
  const std::vector<Mono>& tokens = outcomes.at(JobId{1}).tokens;
  for (std::size_t i = 1; i < tokens.size(); ++i) longest = std::max(longest, tokens[i] - tokens[i - 1]);
  EXPECT_EQ(longest, 1'034ms) << "a batch of 1,024 prompt tokens, beside one step of decoding";
  EXPECT_EQ(outcomes.at(JobId{2}).usage.prompt_time, 1'034ms + 486ms);
}

TEST(Runner, prompts_that_arrive_together_share_steps_and_report_the_same_wall_time) {
  Runner runner(simple_costs(), {.slots = 3});
  runner.submit(job_of(1, 1, 10, 1), Mono{});
  for (std::uint64_t id = 2; id <= 4; ++id) runner.submit(job_of(id, id, 44, 1), Mono{});
  const auto outcomes = run(runner);
  EXPECT_EQ(outcomes.at(JobId{2}).usage.prompt_time, outcomes.at(JobId{3}).usage.prompt_time);
  EXPECT_EQ(outcomes.at(JobId{2}).usage.prompt_time, 132ms);
}

TEST(Runner, finds_a_conversation_again_whose_slot_was_taken_only_with_a_host_cache) {
  for (const std::size_t host_cache : {std::size_t{0}, std::size_t{100'000}}) {
    Runner runner(simple_costs(), {.slots = 1, .host_cache = host_cache});
    runner.submit(job_of(1, 1, 100, 20), Mono{});
    runner.submit(job_of(2, 2, 100, 20), Mono{});
    runner.submit(job_of(3, 1, 150, 1), Mono{});
    const auto outcomes = run(runner);
    EXPECT_EQ(outcomes.at(JobId{3}).usage.cached, host_cache == 0 ? 0U : 120U) << "host cache " << host_cache;
  }
}

TEST(Runner, gives_a_conversation_the_slot_that_remembers_it) {
  Runner runner(simple_costs(), {.slots = 2, .host_cache = 0});
  runner.submit(job_of(1, 1, 100, 5), Mono{});
  runner.submit(job_of(2, 2, 100, 50), Mono{});
  run(runner);
  runner.submit(job_of(3, 2, 200, 1), Mono{} + 1h);
  EXPECT_EQ(run(runner, Mono{} + 2h)[JobId{3}].usage.cached, 150U);
}

TEST(Runner, frees_the_slot_of_a_cancelled_job_at_the_end_of_the_step_and_says_no_more_of_it) {
  Runner runner(simple_costs(), {.slots = 1});
  runner.submit(job_of(1, 1, 10, 1'000), Mono{});
  runner.submit(job_of(2, 2, 10, 1), Mono{});
  runner.submit(job_of(3, 3, 10, 1), Mono{});
  EXPECT_EQ(runner.advance(Mono{} + 15ms).size(), 1U);
  EXPECT_TRUE(runner.cancel(JobId{1}));
  EXPECT_TRUE(runner.cancel(JobId{2})) << "a waiter";
  EXPECT_FALSE(runner.cancel(JobId{1}));
  EXPECT_EQ(runner.running(), 0U);
  const auto outcomes = run(runner);
  EXPECT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes.at(JobId{3}).tokens.at(0), Mono{} + 30ms);
}

TEST(Runner, works_without_a_slot_that_leaked) {
  Runner runner(simple_costs(), {.slots = 2});
  runner.leak_slot();
  runner.submit(job_of(1, 1, 10, 2), Mono{});
  runner.submit(job_of(2, 2, 10, 2), Mono{});
  EXPECT_EQ(runner.waiting(), 1U);
  EXPECT_EQ(run(runner).size(), 2U);
  runner.leak_slot();
  runner.submit(job_of(3, 3, 10, 2), Mono{} + 1h);
  EXPECT_TRUE(run(runner, Mono{} + 2h).empty());
  EXPECT_TRUE(runner.cancel(JobId{3}));
}

TEST(Runner, shifts_a_full_context_and_goes_on) {
  Runner runner(simple_costs(), {.slots = 1, .context = 64});
  runner.submit(job_of(1, 1, 60, 500), Mono{});
  EXPECT_EQ(run(runner)[JobId{1}].usage.answer, 500U);
}

TEST(Runner, takes_longer_at_a_slower_pace) {
  Runner runner(simple_costs(), {});
  runner.set_pace(2);
  runner.submit(job_of(1, 1, 100, 2), Mono{});
  EXPECT_EQ(run(runner)[JobId{1}].tokens, (std::vector<Mono>{Mono{} + 200ms, Mono{} + 220ms}));
}

struct ReuseCase {
  std::string_view name;
  std::vector<TokenHash> known, prompt;
  std::size_t any, continuation;
};

TEST(PromptCache, reuses_what_the_model_allows) {
  const ReuseCase cases[] = {
      {"nothing_known", {}, {1, 2}, 0, 0},
      {"a_continuation_is_reused_whole", {1, 2}, {1, 2, 3}, 2, 2},
      {"a_divergence_only_up_to_it", {1, 2, 9}, {1, 2, 3}, 2, 0},
      {"never_the_whole_prompt", {1, 2, 3}, {1, 2, 3}, 2, 2},
      {"a_shorter_prompt_leaves_one_to_read", {1, 2, 3}, {1, 2}, 1, 0},
  };
  for (const ReuseCase& each : cases) {
    EXPECT_EQ(reusable(each.known, each.prompt, PrefixReuse::any), each.any) << each.name;
    EXPECT_EQ(reusable(each.known, each.prompt, PrefixReuse::continuation), each.continuation) << each.name;
  }
}

TEST(PromptCache, forgets_the_oldest_when_full_and_what_is_continued) {
  HostCache cache(6);
  cache.remember({1, 1});
  cache.remember({2, 2});
  cache.remember({2, 2, 2});
  EXPECT_EQ(cache.tokens(), 5U);
  cache.remember({3, 3});
  EXPECT_EQ(cache.tokens(), 5U) << "the first had to go";
  EXPECT_TRUE(cache.take(std::vector<TokenHash>{1, 1, 1}, PrefixReuse::any, 0).empty());
  EXPECT_EQ(cache.take(std::vector<TokenHash>{2, 2, 2, 2}, PrefixReuse::any, 0).size(), 3U);
  EXPECT_EQ(cache.tokens(), 2U);
  cache.remember(std::vector<TokenHash>(7, 4));
  EXPECT_EQ(cache.tokens(), 2U) << "larger than the whole cache";
}

TEST(Card, costs_follow_the_size_of_the_model) {
  const Card& card = *card_named("fast");
  ModelSpec model;
  model.file = card.file;
  model.parameters = card.parameters;
  model.kv_per_token = card.kv_per_token;
  const StepCosts same = costs_on(card, model);
  EXPECT_EQ(same.decode, card.costs.decode);
  EXPECT_EQ(same.prompt, card.costs.prompt);
  model.file = Bytes{card.file.value * 2};
  EXPECT_EQ(costs_on(card, model).decode[0], card.costs.decode[0] * 2.0);
  EXPECT_EQ(costs_on(card, model).prompt, card.costs.prompt);
}

TEST(Card, decoding_more_slots_than_were_measured_goes_on_as_the_last_step_did) {
  EXPECT_EQ(step_time(simple_costs(), {.decoding = 4}), 16ms);
  EXPECT_EQ(step_time(simple_costs(), {}), 1ns) << "time always moves";
}

TEST(Card, presets_are_found_by_name) {
  for (const auto name : {"fast", "slow", "small", "measured"}) EXPECT_NE(card_named(name), nullptr) << name;
  EXPECT_EQ(card_named("h100"), nullptr);
}

TEST(Memory, section_4_7_counts_the_cache_of_every_slot) {
  ModelSpec model;
  model.file = Bytes{1'000};
  model.kv_per_token = Bytes{10};
  EXPECT_EQ(size_in_memory(model, 100, 4), Bytes{1'000 + 10 * 100 * 4});
}

TEST(Memory, section_4_7_a_card_takes_a_model_of_up_to_four_fifths_of_what_is_free) {
  EXPECT_TRUE(fits(Bytes{800}, Bytes{1'000}));
  EXPECT_FALSE(fits(Bytes{801}, Bytes{1'000}));
  EXPECT_EQ(placed(Bytes{2'000}, Bytes{1'000}), Bytes{800});
  EXPECT_EQ(slowdown(Bytes{800}, Bytes{800}), 1);
  EXPECT_GT(slowdown(Bytes{2'000}, Bytes{800}), 5) << "the rest runs on the host, slowly";
}

TEST(Memory, section_4_4_the_default_context_depends_on_the_card) {
  ModelSpec model;
  model.context = 131'072;
  EXPECT_EQ(default_context(8_GiB, model), 4'096U);
  EXPECT_EQ(default_context(24_GiB, model), 32'768U);
  EXPECT_EQ(default_context(80_GiB, model), 131'072U) << "at most what the model was trained for";
}

TEST(Memory, section_4_7_the_victim_is_idle_and_has_the_shortest_keep_alive) {
  EXPECT_EQ(pick_victim({}), std::nullopt);
  const Resident residents[] = {{"c", 5min, true}, {"b", 1min, true}, {"a", 1min, true}, {"0", 1s, false}};
  EXPECT_EQ(pick_victim(residents), 2U) << "the lower weights of two equal ones; never a busy one if one is idle";
  const Resident busy[] = {{"c", 5min, false}, {"b", 1min, false}};
  EXPECT_EQ(pick_victim(busy), 1U);
}

}  // namespace
}  // namespace drover::engine
