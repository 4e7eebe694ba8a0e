// Reading, fitting and comparing on made-up measurements; measured_test.cpp has real ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "calibrate/fit.h"
#include "calibrate/least_squares.h"
#include "calibrate/report.h"

namespace drover::calibrate {
namespace {

using engine::Cost;

TEST(LeastSquares, finds_the_parameters_of_a_curve_and_is_not_led_astray_by_an_outlier) {
  const auto residuals = [](const std::vector<double>& p) {
    std::vector<double> all;
    for (int x = 0; x < 20; ++x) {
      const double measured = 3 * std::exp(-0.2 * x) + 1 + (x == 7 ? 50 : 0);
      all.push_back(p[0] * std::exp(-p[1] * x) + p[2] - measured);
    }
    return all;
  };
  const Minimum minimum = least_squares(residuals, {1, 1, 0}, 1e-5, 0.01);
  EXPECT_NEAR(minimum.parameters[0], 3, 0.02);
  EXPECT_NEAR(minimum.parameters[1], 0.2, 0.01);
  EXPECT_NEAR(minimum.parameters[2], 1, 0.02);
}

TEST(ReadRun, takes_a_line_a_request_in_order_of_sending) {
  const auto run =
      read_run("f", R"({"scenario":"batch","np":4,"words":12,"k":2,"rep":1,"t":0.5,"first":0.1,"last":0.2,)"
                    R"("prompt":40,"cached":3,"prompt_ms":80,"out":5,"error":null})"
                    "\n"
                    R"({"scenario":"batch","t":0.25,"first":1,"last":2,"prompt":9,"cached":9,"out":5})"
                    "\n\n"
                    R"({"scenario":"batch","t":0,"prompt":9,"out":5,"error":"refused"})"
                    "\n"
                    R"({"scenario":"mix","due":1,"rate":0.7,"talk":3,"t":1,"prompt":9,"out":5})"
                    "\n"
                    R"({"scenario":"mix","due":1,"rate":0.7,"talk":-1,"t":1,"prompt":9,"out":0})");
  ASSERT_TRUE(run) << run.error().detail;
  ASSERT_EQ(run->rows.size(), 3U) << "one failed, one gave no token";
  EXPECT_EQ(run->slots, 1U);
  const Measurement& first = run->rows[0];
  EXPECT_EQ(first.sent, 0.25);
  EXPECT_EQ(first.cached, 8U) << "never the whole prompt";
  const Measurement& second = run->rows[1];
  EXPECT_EQ(second.cell, "words 12, k 2");
  EXPECT_EQ(second.repetition, 1U);
  EXPECT_EQ(second.reading, 0.08);
  EXPECT_FALSE(second.open_loop);
  EXPECT_TRUE(run->rows[2].open_loop);
  EXPECT_EQ(run->rows[2].talk, "3");
}

TEST(ReadRun, names_the_line_that_is_wrong) {
  const auto run = read_run("f", "{}\n{\"scenario\":");
  ASSERT_FALSE(run);
  EXPECT_TRUE(run.error().detail.starts_with("f:2: ")) << run.error().detail;
  EXPECT_EQ(read_run("f", "[]").error().detail, "f:1: this is no object");
}

// A run in which nothing overlaps but the streams of a batch, without times.
Recording plan(Random& random) {
  Recording run{.name = "made", .slots = 4, .rows = {}};
  double sent = 0;
  const auto add = [&](Measurement row) {
    row.sent = sent;
    row.last = 1;  // so that those sent together overlap
    row.answer = 24;
    run.rows.push_back(std::move(row));
  };
  for (int i = 0; i < 40; ++i) {
    const auto prompt = static_cast<std::uint32_t>(20 + random.below(1'500));
    const auto cached = static_cast<std::uint32_t>(random.below(2) * random.below(prompt));
    add({.scenario = "solo", .cell = "", .talk = "", .prompt = prompt, .cached = cached});
    sent += 1'000;
  }
  for (int i = 0; i < 12; ++i) {
    const auto prompt = static_cast<std::uint32_t>(20 + random.below(900));
    for (int k = 0; k <= i % 4; ++k) add({.scenario = "batch", .cell = "", .talk = "", .prompt = prompt});
    sent += 1'000;
  }
  return run;
}

TEST(Fit, finds_the_costs_that_made_the_times) {
  const engine::StepCosts real{.few_rows = {Cost{8}, Cost{9}, Cost{11}, Cost{16}},
                               .many_rows = Cost{14},
                               .row = Cost{0.9},
                               .pair_alone = Cost{0.006},
                               .pair_few = Cost{0.003},
                               .pair_tiled = Cost{0.0004},
                               .handover = Cost{7},
                               .copy = Cost{0.01}};
  Random random(1);
  Recording run = plan(random);
  const std::vector<Times> times = rehearse(run, real, Reuse::given);
  for (std::size_t i = 0; i < run.rows.size(); ++i) {
    run.rows[i].first = times[i].first * (0.98 + 0.04 * random.uniform());
    run.rows[i].reading = run.rows[i].first;
    run.rows[i].last = run.rows[i].first + (times[i].last - times[i].first) * (0.98 + 0.04 * random.uniform());
  }
  const auto fitted = fit(std::span(&run, 1));
  ASSERT_TRUE(fitted);
  EXPECT_LT(fitted->typical_error, 0.03);
  EXPECT_NEAR(fitted->costs.few_rows.front() / real.few_rows.front(), 1, 0.1);
  EXPECT_NEAR(fitted->costs.row / real.row, 1, 0.05);
  EXPECT_NEAR(fitted->costs.pair_alone / real.pair_alone, 1, 0.1);
  EXPECT_NEAR(fitted->costs.pair_tiled / real.pair_tiled, 1, 0.3);
}

TEST(Fit, says_when_nothing_decides) {
  const Recording run{.name = "", .rows = {{.scenario = "mix", .cell = "", .talk = ""}}};
  EXPECT_FALSE(fit(std::span(&run, 1)));
}

TEST(Rehearsal, predicts_what_of_a_conversation_is_found_again) {
  Recording run{.name = "", .slots = 2, .rows = {}};
  std::uint32_t visit = 0;
  for (const std::string_view talk : {"A", "B", "C", "A", "B", "A"}) {
    run.rows.push_back({.scenario = "cache", .cell = "", .talk = std::string(talk), .prompt = 100 + 10 * visit});
    run.rows.back().sent = 10.0 * visit++;
    run.rows.back().answer = 5;
  }
  engine::StepCosts costs{.few_rows = {Cost{1}}, .row = Cost{1}};
  const auto cached = [&] {
    std::vector<std::uint32_t> all;
    for (const Times& times : rehearse(run, costs, Reuse::predicted)) all.push_back(times.cached);
    return all;
  };
  EXPECT_EQ(cached(), (std::vector<std::uint32_t>{0, 0, 1, 100, 110, 130}));
  run.host_cache = false;
  EXPECT_EQ(cached(), (std::vector<std::uint32_t>{0, 0, 1, 1, 1, 130})) << "only what no other talk has pushed out";
}

TEST(Report, percentiles_lie_between_their_neighbours) {
  EXPECT_EQ(percentile({}, 0.5), 0);
  EXPECT_EQ(percentile({3}, 0.95), 3);
  EXPECT_EQ(percentile({4, 1, 2, 3}, 0.5), 2.5);
}

}  // namespace
}  // namespace drover::calibrate
