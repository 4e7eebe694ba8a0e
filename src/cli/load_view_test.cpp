// What `drover load` shows and what it takes on its command line.
#include <gtest/gtest.h>

#include "cli/human.h"
#include "cli/load_settings.h"
#include "cli/load_view.h"

namespace drover::cli {
namespace {

using namespace std::chrono_literals;

constexpr Style kPlain{.colour = false, .unicode = true};

LoadArguments arguments(std::string_view url = "http://gpu:8080") {
  LoadArguments load;
  load.url = url;
  load.model = "llama3.2:3b";
  return load;
}

load::Report some_report() {
  load::Report report(load::Goal::parse("ttft<2s").value());
  for (int i = 1; i <= 4; ++i) {
    report.add({.due = 1s,
                .sent = 1s,
                .first_token = 1s + i * 1s,
                .ended = 10s,
                .tokens = Tokens{5},
                .status = 200,
                .end = load::End::ok});
  }
  for (int i = 0; i < 3; ++i) {
    report.add({.ended = 2s, .end = load::End::refused, .kind = "503 queue_full", .message = "the queue is full"});
  }
  report.add({.ended = 2s, .end = load::End::cut, .kind = "reset", .message = "\x1b[2J"});
  return report;
}

TEST(LoadReport, shows_counts_times_and_errors) {
  EXPECT_EQ(load_report(some_report(), "ttft<2s", kPlain),
            "8 requests in 10s: 4 ok, 3 refused, 1 cut\n"
            "0.4 answers/s, 2.0 tokens/s, 20 tokens in all\n"
            "1 good (12.5 %), 0.1/s: whole answers with ttft<2s\n"
            "\n"
            "         MEAN      P50      P90      P95      P99      MAX\n"
            "ttft   2.50 s   2.00 s   4.00 s   4.00 s   4.00 s   4.00 s\n"
            "tpot   1.62 s   1.50 s   2.00 s   2.00 s   2.00 s   2.00 s\n"
            "e2e    9.00 s   9.00 s   9.00 s   9.00 s   9.00 s   9.00 s\n"
            "slip  0.00 ms  0.00 ms  0.00 ms  0.00 ms  0.00 ms  0.00 ms\n"
            "\n"
            "ERROR           COUNT  END      EXAMPLE\n"
            "503 queue_full      3  refused  the queue is full\n"
            "reset               1  cut      \xef\xbf\xbd[2J\n");
}

TEST(LoadReport, of_nothing_has_no_times) {
  EXPECT_EQ(load_report(load::Report(load::Goal{}), "", kPlain),
            "0 requests in 0.0s: 0 ok\n"
            "0 answers/s, 0 tokens/s, 0 tokens in all\n"
            "\n"
            "      MEAN  P50  P90  P95  P99  MAX\n"
            "ttft     -    -    -    -    -    -\n"
            "tpot     -    -    -    -    -    -\n"
            "e2e      -    -    -    -    -    -\n"
            "slip     -    -    -    -    -    -\n");
}

TEST(LoadReport, says_of_each_assertion_what_was_seen) {
  const std::vector<Checked> checked{{"p95(ttft)<2s", {true, "1.2s"}}, {"errors==0", {false, "4"}}};
  EXPECT_EQ(load_verdicts(checked, kPlain), "\nok      p95(ttft)<2s  was 1.2s\nFAILED  errors==0     was 4\n");
  EXPECT_EQ(load_verdicts({}, kPlain), "");
}

TEST(LoadScreen, keeps_to_its_terminal) {
  const auto settings = read_load_plan(arguments()).value().settings;
  const load::Progress before{.elapsed = 1s},
      now{.elapsed = 3s, .sent = 20, .ended = 8, .outstanding = 12, .messages = 90};
  const auto whole = load_screen(settings, some_report(), now, before, {.columns = 80, .rows = 24}, kPlain);
  ASSERT_GT(whole.size(), 10U);
  EXPECT_EQ(whole[0], "http://gpu:8080  llama3.2:3b  /api/chat  1 at a time");
  EXPECT_EQ(whole[1], "3.0s  4.0 requests/s, 45 tokens/s, 12 outstanding");
  EXPECT_EQ(whole[2], "20 sent: 4 ok, 3 refused, 1 cut");
  EXPECT_EQ(whole.back(), "Ctrl-C ends it, with the report of what was done.");
  for (std::size_t columns = 1; columns < 90; columns += 4) {
    for (std::size_t rows = 1; rows < 20; rows += 3) {
      const auto lines = load_screen(settings, some_report(), now, before, {columns, rows}, kPlain);
      EXPECT_LE(lines.size(), rows);
      for (const auto& line : lines) EXPECT_LT(width_of(line), std::max<std::size_t>(columns, 1)) << line;
    }
  }
}

TEST(LoadScreen, has_a_line_for_pipes) {
  EXPECT_EQ(load_line(some_report(), {.elapsed = 12s, .sent = 20, .ended = 8, .outstanding = 12, .messages = 100}, {}),
            "12s: 20 sent, 12 outstanding, 4 ok, 4 errors, 0.7 requests/s, 8.3 tokens/s, ttft p95 4.00 s");
}

TEST(HumanLatency, has_three_digits) {
  for (const auto& [time, text] : {std::pair(Duration(0), "0.00 ms"),
                                   {Duration(424us), "0.42 ms"},
                                   {Duration(9'994us), "9.99 ms"},
                                   {Duration(9'995us), "10.0 ms"},
                                   {Duration(12'345us), "12.3 ms"},
                                   {Duration(999'499us), "999 ms"},
                                   {Duration(999'500us), "1.00 s"},
                                   {Duration(61s), "61.0 s"},
                                   {Duration(1h), "3600 s"}}) {
    EXPECT_EQ(human_latency(time), text);
  }
}

TEST(LoadArguments, have_the_usual_meaning) {
  const auto closed = read_load_plan(arguments()).value().settings;
  EXPECT_EQ(std::get<load::ClosedLoop>(closed.arrivals).users, 1U);
  EXPECT_EQ(closed.time, 30s);
  EXPECT_EQ(closed.route, api::Route::chat);

  LoadArguments load = arguments("gpu/v");
  load.api = "openai-completions";
  load.rate = 2.5;
  load.requests = 10;
  load.prompt_tokens = "100-400";
  load.headers = {"Authorization: Bearer x"};
  const auto open = read_load_plan(load).value().settings;
  EXPECT_EQ(http::to_text(open.target), "http://gpu:11434/v");
  EXPECT_EQ(open.route, api::Route::completions);
  EXPECT_EQ(std::get<load::OpenLoop>(open.arrivals).rate, 2.5);
  EXPECT_EQ(open.time, std::nullopt) << "its number ends it";
  EXPECT_EQ(open.prompt.most, 400U);
  EXPECT_EQ(open.headers[0], (std::pair<std::string, std::string>("Authorization", "Bearer x")));

  LoadArguments traced = arguments();
  traced.trace = "t.csv";
  traced.speed = 10;
  traced.first = "10m";
  const auto trace = read_load_plan(traced).value().settings;
  EXPECT_EQ(std::get<load::TraceLoop>(trace.arrivals).first, 10min);
  EXPECT_EQ(trace.time, std::nullopt) << "its end ends it";
}

struct WrongCase {
  std::string_view name;
  void (*spoil)(LoadArguments&);
  std::string_view error;
};

class WrongArguments : public testing::TestWithParam<WrongCase> {};

TEST_P(WrongArguments, are_told_with_what_would_be_right) {
  LoadArguments load = arguments();
  GetParam().spoil(load);
  const auto plan = read_load_plan(load);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().detail, GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Load, WrongArguments,
    testing::Values(
        WrongCase{"ca", [](LoadArguments& load) { load.tls.ca_file = "ca.pem"; },
                  "--ca and --insecure are for https:// addresses; http://gpu:8080 is none"},
        WrongCase{"api", [](LoadArguments& load) { load.api = "anthropic"; },
                  "--api is \"anthropic\"; expected ollama, ollama-generate, openai or openai-completions"},
        WrongCase{"rate", [](LoadArguments& load) { load.rate = 0; },
                  "--rate is 0; expected requests a second, more than 0 and at most 1000000"},
        WrongCase{"speed", [](LoadArguments& load) { load.trace = "t", load.speed = -1; },
                  "--speed is -1; expected more than 0"},
        WrongCase{"first", [](LoadArguments& load) { load.trace = "t", load.first = "10"; },
                  "--first is \"10\"; expected a time as 30s, 10m or 1h30m"},
        WrongCase{"time", [](LoadArguments& load) { load.time = "0s"; },
                  "--time is \"0s\"; expected a time as 30s, 10m or 1h30m"},
        WrongCase{"timeout", [](LoadArguments& load) { load.timeout = "soon"; },
                  "--timeout is \"soon\"; expected a time as 30s, 10m or 1h30m"},
        WrongCase{
            "range", [](LoadArguments& load) { load.prompt_tokens = "5-4"; },
            "--prompt-tokens is \"5-4\"; expected a number of tokens as 100, or two as 100-400, from 1 to 1000000"},
        WrongCase{"no_tokens", [](LoadArguments& load) { load.answer_tokens = "0"; },
                  "--answer-tokens is \"0\"; expected a number of tokens as 100, or two as 100-400, from 1 to 1000000"},
        WrongCase{"header", [](LoadArguments& load) { load.headers = {"no colon"}; },
                  "--header is \"no colon\"; expected \"Name: value\""},
        WrongCase{"header_with_a_line", [](LoadArguments& load) { load.headers = {"A: b\r\nC: d"}; },
                  "--header is \"A: b\\r\\nC: d\"; expected \"Name: value\""},
        WrongCase{"own_header", [](LoadArguments& load) { load.headers = {"content-length: 5"}; },
                  "--header content-length cannot be given: HTTP needs its own"},
        WrongCase{"model", [](LoadArguments& load) { load.model = "mine", load.sim_seed = 1; },
                  "--sim-seed says that the nodes are simulated, and none of those has a model \"mine\""},
        WrongCase{"goal", [](LoadArguments& load) { load.goal = "fast"; },
                  "--goal: \"fast\" compares nothing; expected a figure, one of < <= == >= >, and a value"},
        WrongCase{"assertion", [](LoadArguments& load) { load.assertions = {"p95(ttft)<2"}; },
                  "--assert: \"2\" is no time; expected one as 2s, 1s500ms or 100ms"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace drover::cli
