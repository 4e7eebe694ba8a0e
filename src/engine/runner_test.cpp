// What a runner does over time, on small numbers; calibrate/measured_test.cpp holds it against a real one.
#include "engine/runner.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace drover::engine {
namespace {

using namespace std::chrono_literals;

// One millisecond for each thing, so that the expected times are sums in the head.
StepCosts simple_costs() { return {.few_rows = {Cost{10}, Cost{12}}, .row = Cost{1}}; }

// A conversation's prompt of `size` tokens and its answer go on in one sequence, as they do in a real one.
Job job_of(std::uint64_t id, std::uint64_t talk, std::size_t size, std::uint32_t answer) {
  Job job{.id = JobId{id}, .prompt = {}, .answer = answer};
  for (std::size_t i = 0; i < size; ++i) job.prompt.emplace_back(talk * 1'000'000 + i);
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
  std::vector<RunnerEvent> events;
  runner.advance(until, events);
  for (const RunnerEvent& event : events) {
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
    EXPECT_EQ(outcomes.at(JobId{id}).usage.waited, 12ms * (id - 1)) << "job " << id;
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
  EXPECT_EQ(longest, 1'033ms) << "a batch of 1,024 tokens, one of them of the answer, which is in a pass of its own";
  EXPECT_EQ(outcomes.at(JobId{2}).usage.prompt_time, 1'033ms + 487ms);
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
    EXPECT_EQ(outcomes.at(JobId{3}).usage.cached, host_cache == 0 ? 0U : 119U) << "host cache " << host_cache;
  }
}

TEST(Runner, gives_a_conversation_the_slot_that_remembers_it) {
  Runner runner(simple_costs(), {.slots = 2, .host_cache = 0});
  runner.submit(job_of(1, 1, 100, 5), Mono{});
  runner.submit(job_of(2, 2, 100, 50), Mono{});
  run(runner);
  runner.submit(job_of(3, 2, 200, 1), Mono{} + 1h);
  EXPECT_EQ(run(runner, Mono{} + 2h)[JobId{3}].usage.cached, 149U) << "the last token was never read";
}

TEST(Runner, frees_the_slot_of_a_cancelled_job_at_the_end_of_the_step_and_says_no_more_of_it) {
  Runner runner(simple_costs(), {.slots = 1});
  runner.submit(job_of(1, 1, 10, 1'000), Mono{});
  runner.submit(job_of(2, 2, 10, 1), Mono{});
  runner.submit(job_of(3, 3, 10, 1), Mono{});
  std::vector<RunnerEvent> events;
  runner.advance(Mono{} + 15ms, events);
  EXPECT_EQ(events.size(), 1U);
  EXPECT_TRUE(runner.cancel(JobId{1}, Mono{} + 15ms));
  EXPECT_TRUE(runner.cancel(JobId{2}, Mono{} + 15ms)) << "a waiter";
  EXPECT_FALSE(runner.cancel(JobId{1}, Mono{} + 15ms));
  EXPECT_EQ(runner.running(), 0U);
  const auto outcomes = run(runner);
  EXPECT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes.at(JobId{3}).tokens.at(0), Mono{} + 34ms);
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
  EXPECT_TRUE(runner.cancel(JobId{3}, Mono{} + 2h));
}

TEST(Runner, shifts_a_full_context_and_goes_on) {
  Runner runner(simple_costs(), {.slots = 1, .context = 64});
  runner.submit(job_of(1, 1, 60, 500), Mono{});
  EXPECT_EQ(run(runner)[JobId{1}].usage.answer, 500U);
}

TEST(Runner, takes_longer_at_a_slower_pace) {
  Runner runner(simple_costs(), {});
  runner.set_pace(2, Mono{});
  runner.submit(job_of(1, 1, 100, 2), Mono{});
  EXPECT_EQ(run(runner)[JobId{1}].tokens, (std::vector<Mono>{Mono{} + 200ms, Mono{} + 220ms}));
}

TEST(Runner, takes_time_to_hand_a_job_over_and_begins_with_all_that_came_meanwhile) {
  StepCosts costs = simple_costs();
  costs.handover = Cost{4};
  Runner runner(costs, {.slots = 3});
  runner.submit(job_of(1, 1, 30, 1), Mono{});
  std::vector<RunnerEvent> events;
  runner.advance(Mono{} + 1ms, events);
  runner.submit(job_of(2, 2, 30, 1), Mono{} + 1ms);
  runner.advance(Mono{} + 3ms, events);
  runner.submit(job_of(3, 3, 30, 1), Mono{} + 3ms);
  const auto outcomes = run(runner);
  EXPECT_EQ(outcomes.at(JobId{1}).tokens.at(0), Mono{} + 4ms + 60ms);
  EXPECT_EQ(outcomes.at(JobId{2}).tokens.at(0), Mono{} + 4ms + 60ms) << "half of the way was done when the step began";
  EXPECT_EQ(outcomes.at(JobId{3}).tokens.at(0), Mono{} + 4ms + 90ms) << "too late for that step";
}

TEST(Runner, a_waiter_misses_the_step_that_begins_when_a_slot_becomes_free) {
  StepCosts costs = simple_costs();
  costs.handover = Cost{4};
  Runner runner(costs, {.slots = 2});
  runner.submit(job_of(1, 1, 20, 1), Mono{});
  runner.submit(job_of(2, 2, 20, 3), Mono{});
  runner.submit(job_of(3, 3, 20, 1), Mono{});
  const auto outcomes = run(runner);
  EXPECT_EQ(outcomes.at(JobId{1}).tokens.at(0), Mono{} + 44ms);
  EXPECT_EQ(outcomes.at(JobId{3}).usage.waited, 54ms) << "until the step of the other job's second token has ended";
}

TEST(Runner, copies_what_it_moves_between_slots_and_host_before_the_next_step) {
  StepCosts costs = simple_costs();
  costs.copy = Cost{0.1};
  Runner runner(costs, {.slots = 1});
  runner.submit(job_of(1, 1, 100, 1), Mono{});
  runner.submit(job_of(2, 2, 100, 1), Mono{});
  const auto outcomes = run(runner);
  EXPECT_EQ(outcomes.at(JobId{2}).tokens.at(0), Mono{} + 100ms + 10ms + 100ms);
}

TEST(Runner, takes_the_number_of_cached_tokens_that_it_is_told) {
  Runner runner(simple_costs(), {});
  Job job = job_of(1, 1, 100, 1);
  job.cached = 60;
  runner.submit(std::move(job), Mono{});
  EXPECT_EQ(run(runner)[JobId{1}].usage.prompt_time, 40ms);
}

// The closed form of many steps, cut short at any time, against one step after another.
TEST(Runner, tells_the_same_ends_whether_or_not_it_tells_every_token) {
  StepCosts costs = simple_costs();
  costs.pair_alone = Cost{0.01};
  costs.pair_few = Cost{0.005};
  costs.handover = Cost{3};
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    for (const EngineKind kind : {EngineKind::llama_cpp, EngineKind::vllm}) {
      std::map<JobId, Duration> ends[2];
      for (const bool every_token : {false, true}) {
        Random random(seed);
        Runner runner(costs, {.kind = kind, .slots = 4, .context = 300, .blocks = 200, .every_token = every_token});
        std::vector<RunnerEvent> events;
        Mono now{};
        for (std::uint64_t id = 1; id <= 40; ++id) {
          now += Duration{static_cast<std::int64_t>(random.below(400'000'000))};
          runner.advance(now, events);
          const auto size = 1 + random.below(200);
          runner.submit(job_of(id, random.below(6), size, static_cast<std::uint32_t>(random.below(120))), now);
          if (random.below(5) == 0) runner.cancel(JobId{1 + random.below(id)}, now);
          if (random.below(5) == 0) runner.set_pace(1 + static_cast<double>(random.below(3)), now);
        }
        runner.advance(now + 1h, events);
        EXPECT_TRUE(runner.idle());
        for (const RunnerEvent& event : events) {
          if (event.kind == RunnerEvent::Kind::finished) ends[every_token][event.job] = event.at - Mono{};
        }
      }
      ASSERT_EQ(ends[0].size(), ends[1].size()) << "seed " << seed;
      // A stretch that was cut has rounded once more.
      for (const auto& [job, end] : ends[0]) EXPECT_NEAR(seconds(end), seconds(ends[1][job]), 1e-6) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace drover::engine
