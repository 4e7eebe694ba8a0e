// Percentiles, goals and assertions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "load/assertion.h"

namespace drover::load {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, quantiles_are_within_the_error_that_it_states) {
  const std::uint64_t seed = 20251121;
  Random random(seed);
  std::vector<Duration> times;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    // From nanoseconds to hours, as many of each size.
    times.push_back(Duration(static_cast<std::int64_t>(std::exp(random.uniform() * std::log(1e13)))));
    histogram.add(times.back());
  }
  std::ranges::sort(times);
  for (const double part : {0.0001, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(times.size()))) - 1;
    const auto exact = static_cast<double>(times[rank].count());
    const auto told = static_cast<double>(histogram.quantile(part).count());
    EXPECT_GE(told, exact) << part << ", seed " << seed;
    EXPECT_LE(told, exact * (1 + Histogram::kError)) << part << ", seed " << seed;
  }
  EXPECT_EQ(histogram.max(), times.back());
  EXPECT_EQ(histogram.count(), times.size());
}

TEST(Histogram, takes_all_times_there_are) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0ns);
  EXPECT_EQ(histogram.mean(), 0ns);
  histogram.add(-5ns);
  EXPECT_EQ(histogram.quantile(1), 0ns);
  histogram.add(Duration::max());
  EXPECT_EQ(histogram.quantile(1), Duration::max());
  EXPECT_EQ(histogram.quantile(0.5), 0ns);
}

TEST(Histogram, the_mean_is_exact) {
  Histogram histogram;
  for (const Duration time : {1ms, 2ms, 6ms}) histogram.add(time);
  EXPECT_EQ(histogram.mean(), 3ms);
}

// A whole answer of 11 tokens.
Outcome answer(Duration ttft, Duration tpot) {
  return {.due = 1s,
          .sent = 1s + 1ms,
          .first_token = 1s + ttft,
          .ended = 1s + ttft + 10 * tpot,
          .prompt = Tokens{5},
          .asked = Tokens{11},
          .tokens = Tokens{11},
          .status = 200,
          .end = End::ok};
}

struct GoalCase {
  std::string_view name, goal;
  Duration ttft, tpot;
  bool met;
};

class Goals : public testing::TestWithParam<GoalCase> {};

TEST_P(Goals, hold_or_not) {
  const auto goal = Goal::parse(GetParam().goal);
  ASSERT_TRUE(goal) << goal.error().detail;
  EXPECT_EQ(goal->met(answer(GetParam().ttft, GetParam().tpot)), GetParam().met);
}

INSTANTIATE_TEST_SUITE_P(Answer, Goals,
                         testing::Values(GoalCase{"below", "ttft<2s", 1999ms, 1ms, true},
                                         GoalCase{"at_the_limit", "ttft<2s", 2s, 1ms, false},
                                         GoalCase{"at_most", "ttft <= 2s", 2s, 1ms, true},
                                         GoalCase{"one_of_two", "ttft<2s,tpot<100ms", 1s, 100ms, false},
                                         GoalCase{"both", "ttft<2s, tpot<100ms", 1s, 99ms, true},
                                         GoalCase{"end_to_end", "e2e<2s", 1s, 99ms, true},
                                         GoalCase{"slip", "slip>1ms", 1s, 99ms, false}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Goal, only_whole_answers_are_good) {
  const Goal goal = Goal::parse("ttft<2s").value();
  Outcome cut = answer(1s, 1ms);
  cut.end = End::cut;
  EXPECT_FALSE(goal.met(cut));
  Outcome of_one_token = answer(1s, 1ms);
  of_one_token.tokens = Tokens{1};
  EXPECT_TRUE(Goal::parse("tpot<1ms").value().met(of_one_token)) << "it has no time per token";
  EXPECT_TRUE(Goal{}.met(answer(1s, 1ms))) << "no limits";
}

// 98 whole answers of 100 requests within 20 s; first tokens after 10 ms to 980 ms.
Report some_report() {
  Report report(Goal::parse("ttft<500ms").value());
  for (int i = 1; i <= 98; ++i) report.add(answer(i * 10ms, 20ms));
  report.add({.due = 2s, .sent = 2s, .ended = 20s, .end = End::refused, .kind = "503 queue_full"});
  report.add({.due = 2s, .end = End::dropped, .kind = "max_outstanding"});
  return report;
}

struct AssertionCase {
  std::string_view name, text;
  bool holds;
  std::string_view seen;
};

class Assertions : public testing::TestWithParam<AssertionCase> {};

TEST_P(Assertions, compare_what_the_report_says) {
  const auto assertion = Assertion::parse(GetParam().text);
  ASSERT_TRUE(assertion) << assertion.error().detail;
  const auto verdict = assertion->check(some_report());
  EXPECT_EQ(verdict.holds, GetParam().holds);
  EXPECT_EQ(verdict.seen, GetParam().seen);
}

INSTANTIATE_TEST_SUITE_P(Report, Assertions,
                         testing::Values(AssertionCase{"percentile", "p50(ttft)<500ms", true, "490.7ms"},
                                         AssertionCase{"percentile_beyond", "p95(ttft)<500ms", false, "943.7ms"},
                                         AssertionCase{"max", "max(ttft)<=980ms", true, "980ms"},
                                         AssertionCase{"mean", " mean ( ttft ) < 500ms ", true, "495ms"},
                                         AssertionCase{"per_token", "p99(tpot)<=20ms", true, "20ms"},
                                         AssertionCase{"slip", "max(slip)<1ms", false, "1ms"},
                                         AssertionCase{"count", "errors==2", true, "2"},
                                         AssertionCase{"share", "errors<2%", false, "2%"},
                                         AssertionCase{"one_end", "refused<=1%", true, "1%"},
                                         AssertionCase{"dropped", "dropped==0", false, "1"},
                                         AssertionCase{"good", "good>=49%", true, "49%"},
                                         AssertionCase{"rate", "requests_per_s>5", false, "4.9"},
                                         AssertionCase{"good_rate", "good_per_s>=2.45", true, "2.45"},
                                         AssertionCase{"token_rate", "tokens_per_s>50", true, "53.9"}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Assertion, of_nothing_does_not_hold) {
  const auto verdict = Assertion::parse("p95(ttft)<2s").value().check(Report(Goal{}));
  EXPECT_FALSE(verdict.holds);
  EXPECT_EQ(verdict.seen, "nothing was measured");
}

struct WordingCase {
  std::string_view text, error;
};

TEST(Assertion, what_cannot_be_read_is_told_with_what_can) {
  constexpr WordingCase kCases[] = {
      {"p95(ttft)", "\"p95(ttft)\" compares nothing; expected a figure, one of < <= == >= >, and a value"},
      {"p95(ttft)=2s", "\"p95(ttft)=2s\" compares nothing; expected a figure, one of < <= == >= >, and a value"},
      {"<2s", "\"<2s\" compares nothing; expected a figure, one of < <= == >= >, and a value"},
      {"p95(tfft)<2s", "there is no figure \"p95(tfft)\"; expected ttft, tpot, e2e or slip, as in p95(ttft)"},
      {")<2s", "there is no figure \")\"; expected ttft, tpot, e2e or slip, as in p95(ttft)"},
      {"p93(ttft)<2s", "there is no \"p93\" of a time; expected p50, p90, p95, p99, max or mean"},
      {"p95(ttft)<2", "\"2\" is no time; expected one as 2s, 1s500ms or 100ms"},
      {"error<1",
       "there is no figure \"error\"; expected a time as p95(ttft), one of ok, refused, failed, cut, wrong, "
       "dropped, errors, good, or one of requests_per_s, good_per_s, tokens_per_s"},
      {"errors<x%", "\"x%\" is no number or percentage; expected one as 10 or 0.5%"},
      {"errors<-1", "\"-1\" is no number or percentage; expected one as 10 or 0.5%"},
      {"tokens_per_s>10%", "\"10%\" is no number; expected one as 10"}};
  for (const auto& [text, error] : kCases) {
    const auto assertion = Assertion::parse(text);
    ASSERT_FALSE(assertion) << text;
    EXPECT_EQ(assertion.error().detail, error);
  }
  EXPECT_EQ(Goal::parse("ttft<2s,").error().detail,
            "\"\" compares nothing; expected a figure, one of < <= == >= >, and a value");
  EXPECT_EQ(Goal::parse("p95<2s").error().detail, "there is no figure \"p95\"; expected ttft, tpot, e2e or slip");
  EXPECT_EQ(Goal::parse("ttft<fast").error().detail, "\"fast\" is no time; expected one as 2s, 1s500ms or 100ms");
}

TEST(Report, counts_every_request_once) {
  const Report report = some_report();
  EXPECT_EQ(report.requests(), 100U);
  EXPECT_EQ(report.errors(), 2U);
  EXPECT_EQ(report.good(), 49U);
  EXPECT_EQ(report.span(), 20s);
  const Json json = report.json();
  const Json& requests = json["requests"];
  EXPECT_EQ(requests["all"], 100);
  EXPECT_EQ(requests["ok"], 98);
  EXPECT_EQ(requests["refused"], 1);
  EXPECT_EQ(json["errors"][0]["kind"], "503 queue_full");
  EXPECT_EQ(json["tokens"]["answer"], 98 * 11);
  Report with_a_cut_answer = report;
  with_a_cut_answer.add({.tokens = Tokens{4}, .end = End::cut, .kind = "reset"});
  EXPECT_EQ(with_a_cut_answer.json()["tokens"]["answer"], 98 * 11);
  EXPECT_EQ(with_a_cut_answer.json()["tokens"]["all"], 98 * 11 + 4);
  EXPECT_EQ(json["ttft"]["count"], 98);
  EXPECT_DOUBLE_EQ(json["ttft"]["max_ms"].get<double>(), 980);
  EXPECT_EQ(json["slip"]["count"], 99) << "of all that was sent";
}

TEST(Report, kinds_of_errors_are_bounded) {
  Report report(Goal{});
  for (int i = 0; i < 200; ++i) {
    report.add({.end = End::failed, .kind = std::to_string(i), .message = "m" + std::to_string(i)});
  }
  EXPECT_EQ(report.kinds().size(), Report::kMaxKinds + 1);
  EXPECT_EQ(report.kinds().at("other").count, 200 - Report::kMaxKinds);
  EXPECT_EQ(report.kinds().at("7").example, "m7");
}

}  // namespace
}  // namespace drover::load
