// The engine's model against what a real Ollama did: a model of 12 layers on two cores. The data is not part of the
// sources: it is looked for in $DROVER_MEASUREMENTS, then beside them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "calibrate/fit.h"
#include "calibrate/report.h"
#include "engine/card.h"
#include "engine/runner.h"

namespace drover::calibrate {
namespace {

std::filesystem::path folder() {
  if (const char* given = std::getenv("DROVER_MEASUREMENTS")) return given;
  return std::filesystem::path(DROVER_SOURCE_DIR) / "../shared/measurements";
}

Recording read(const std::string& name) {
  std::ifstream file(folder() / (name + ".jsonl"), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Result<Recording> run = read_run(name, text);
  EXPECT_TRUE(run && !run->rows.empty()) << name;
  return run ? std::move(*run) : Recording{.name = name, .rows = {}};
}

const engine::StepCosts& card_costs() { return engine::card_named("measured")->costs; }

class Measured : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder())) GTEST_SKIP() << "no measurements in " << folder();
  }
};

TEST_F(Measured, the_card_is_what_solo_and_the_even_half_of_batch_say) {
  const Recording runs[] = {read("llama-solo"), read("llama-batch")};
  const auto fitted = fit(runs);
  ASSERT_TRUE(fitted) << fitted.error().detail;
  const engine::StepCosts& card = card_costs();
  const auto near = [](engine::Cost a, engine::Cost b) { return std::abs(a / b - 1) < 0.02; };
  ASSERT_EQ(fitted->costs.few_rows.size(), card.few_rows.size());
  for (std::size_t i = 0; i < card.few_rows.size(); ++i) EXPECT_TRUE(near(fitted->costs.few_rows[i], card.few_rows[i]));
  EXPECT_TRUE(near(fitted->costs.many_rows, card.many_rows));
  EXPECT_TRUE(near(fitted->costs.row, card.row));
  EXPECT_TRUE(near(fitted->costs.pair_alone, card.pair_alone));
  EXPECT_TRUE(near(fitted->costs.pair_one, card.pair_one));
  EXPECT_TRUE(near(fitted->costs.pair_few, card.pair_few));
  EXPECT_TRUE(near(fitted->costs.pair_tiled, card.pair_tiled));
  EXPECT_TRUE(near(fitted->costs.handover, card.handover));
  EXPECT_TRUE(near(fitted->costs.copy, card.copy));
}

TEST_F(Measured, cells_that_were_not_fitted_are_within_fifteen_percent_at_the_median) {
  for (const std::string name : {"llama-batch", "llama-cache", "llama-cache-nohost"}) {
    Recording run = read(name);
    run.host_cache = name != "llama-cache-nohost";
    std::vector<double> first, last;
    for (const Cell& cell : cells_of(run, rehearse(run, card_costs(), Reuse::given))) {
      if (cell.decided) continue;
      first.push_back(std::abs(cell.first.error()));
      last.push_back(std::abs(cell.last.error()));
    }
    EXPECT_GE(first.size(), 12U) << name;
    EXPECT_LT(percentile(first, 0.5), 0.15) << name << ", to the first token";
    EXPECT_LT(percentile(last, 0.5), 0.15) << name << ", to the end";
  }
}

TEST_F(Measured, the_cache_remembers_what_it_really_did) {
  for (const std::string name : {"llama-cache", "llama-cache-nohost"}) {
    Recording run = read(name);
    run.host_cache = name != "llama-cache-nohost";
    const std::vector<Times> times = rehearse(run, card_costs(), Reuse::predicted);
    for (std::size_t i = 0; i < run.rows.size(); ++i) {
      EXPECT_NEAR(times[i].cached, run.rows[i].cached, 5) << name << ", request " << i << " " << run.rows[i].cell;
    }
  }
}

TEST_F(Measured, a_long_prompt_holds_three_streams_as_long_as_it_really_did) {
  // The README of the measurements: 1,448 tokens, 2.06 s.
  engine::Runner runner(card_costs(), {.slots = 4});
  for (std::uint64_t id = 0; id < 3; ++id) {
    runner.submit({.id = engine::JobId{id}, .prompt = {{id, 46}}, .answer = 120}, Mono{});
  }
  const Mono later = Mono{} + std::chrono::milliseconds(1'500);
  std::vector<engine::RunnerEvent> events;
  runner.advance(later, events);
  runner.submit({.id = engine::JobId{3}, .prompt = {{3, 1'448}}, .answer = 8}, later);
  runner.advance(later + std::chrono::hours(1), events);
  Mono previous = kNever;
  Duration longest{};
  for (const engine::RunnerEvent& event : events) {
    if (event.job != engine::JobId{0} || event.kind != engine::RunnerEvent::Kind::token) continue;
    if (previous != kNever) longest = std::max(longest, event.at - previous);
    previous = event.at;
  }
  EXPECT_NEAR(seconds(longest), 2.06, 0.15 * 2.06);
}

// Bounds of errors at 0.35 and 0.7 requests a second. The higher rate is near saturation, where an error of the costs
// is multiplied: the median time to the first token is off by more than the 15 % that were wanted (docs/engine.md).
struct LoopCase {
  Reuse reuse;
  double first_p50[2], first_p95[2], last[2];
};
TEST_F(Measured, an_open_loop_of_conversations_takes_as_long_as_it_really_did) {
  const LoopCase cases[] = {{Reuse::given, {0.15, 0.20}, {0.15, 0.15}, {0.10, 0.10}},
                            {Reuse::predicted, {0.25, 0.25}, {0.25, 0.25}, {0.15, 0.15}}};
  const Recording mix = read("llama-mix");
  for (const LoopCase& each : cases) {
    const std::vector<Loop> loops = loops_of(mix, rehearse(mix, card_costs(), each.reuse));
    ASSERT_EQ(loops.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_GT(loops[i].requests, 50U);
      EXPECT_NEAR(loops[i].first_p50.error(), 0, each.first_p50[i]) << "rate " << loops[i].rate;
      EXPECT_NEAR(loops[i].first_p95.error(), 0, each.first_p95[i]) << "rate " << loops[i].rate;
      EXPECT_NEAR(loops[i].last_p50.error(), 0, each.last[i]) << "rate " << loops[i].rate;
      EXPECT_NEAR(loops[i].last_p95.error(), 0, each.last[i]) << "rate " << loops[i].rate;
    }
  }
}

}  // namespace
}  // namespace drover::calibrate
