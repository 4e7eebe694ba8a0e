// What is sent, when, and how an answer is judged.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "load/outcome_line.h"
#include "load/prompt.h"
#include "load/question.h"
#include "load/schedule.h"
#include "load/sim_check.h"
#include "sim/text.h"

namespace drover::load {
namespace {

using namespace std::chrono_literals;

Settings settings_of(std::variant<OpenLoop, ClosedLoop, TraceLoop> arrivals) {
  return {.target = http::parse_base_url("http://127.0.0.1:1").value(),
          .model = "llama3.2:3b",
          .arrivals = std::move(arrivals)};
}

std::vector<traces::Request> all_of(Schedule& schedule, std::size_t most = 100'000) {
  std::vector<traces::Request> requests;
  while (requests.size() < most) {
    auto next = schedule.next();
    EXPECT_TRUE(next) << next.error().detail;
    if (!next || !*next) break;
    requests.push_back(std::move(**next));
  }
  return requests;
}

std::vector<Duration> times_of(const std::vector<traces::Request>& requests) {
  std::vector<Duration> times;
  for (const auto& request : requests) times.push_back(request.at);
  return times;
}

TEST(Schedule, a_constant_rate_does_not_drift) {
  Settings settings = settings_of(OpenLoop{.rate = 3});
  settings.requests = 3'001;
  const auto times = times_of(all_of(*make_schedule(settings).value()));
  ASSERT_EQ(times.size(), 3'001U);
  EXPECT_EQ(times[1], 333'333'333ns);
  EXPECT_EQ(times[3], 1s);
  EXPECT_EQ(times[3'000], 1'000s);
}

TEST(Schedule, ends_before_its_time) {
  Settings settings = settings_of(OpenLoop{.rate = 10});
  settings.time = 1s;
  EXPECT_EQ(all_of(*make_schedule(settings).value()).size(), 10U) << "the one at 1 s is too late";
}

TEST(Schedule, poisson_arrivals_have_the_rate_and_its_spread) {
  Settings settings = settings_of(OpenLoop{.rate = 1'000, .poisson = true});
  settings.requests = 100'000;
  const auto times = times_of(all_of(*make_schedule(settings).value()));
  // Gaps of an exponential distribution: mean and deviation are the same, with n = 100,000 within 1 % or so.
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double gap = seconds(times[i] - (i == 0 ? 0s : times[i - 1]));
    ASSERT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
  }
  const double mean = sum / 100'000;
  EXPECT_NEAR(mean, 0.001, 0.00002) << "seed " << settings.seed;
  EXPECT_NEAR(std::sqrt(squares / 100'000 - mean * mean), 0.001, 0.00003) << "seed " << settings.seed;
  EXPECT_EQ(times, times_of(all_of(*make_schedule(settings).value()))) << "one seed, one schedule";
}

TEST(Schedule, sizes_are_of_their_ranges) {
  Settings settings = settings_of(ClosedLoop{});
  settings.prompt = {5, 7};
  settings.answer = {1, 1};
  settings.requests = 1'000;
  std::set<std::uint64_t> prompts;
  for (const auto& request : all_of(*make_schedule(settings).value())) {
    EXPECT_EQ(request.at, 0s) << "due as soon as a user is free";
    EXPECT_EQ(request.answer, Tokens{1});
    prompts.insert(request.prompt.value);
  }
  EXPECT_EQ(prompts, (std::set<std::uint64_t>{5, 6, 7}));
}

TEST(Schedule, a_trace_runs_at_its_speed_as_far_as_it_shall) {
  auto lines = std::make_unique<std::istringstream>(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,10,1\n2023-11-16 18:00:05,20,2\n"
      "2023-11-16 18:00:10,30,3\n");
  const auto schedule =
      trace_schedule(traces::Reader::read(std::move(lines), "t").value(), {.path = "t", .speed = 10, .first = 10s});
  const auto requests = all_of(*schedule);
  EXPECT_EQ(times_of(requests), (std::vector<Duration>{0s, 500ms}));
  EXPECT_EQ(requests.at(1).prompt, Tokens{20});
}

TEST(Schedule, a_trace_that_is_broken_says_where) {
  auto lines = std::make_unique<std::istringstream>(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,10,1\nnonsense\n");
  const auto schedule = trace_schedule(traces::Reader::read(std::move(lines), "t.csv").value(), {.path = "t.csv"});
  ASSERT_TRUE(schedule->next());
  EXPECT_EQ(schedule->next().error().detail, "t.csv:3: 1 cells; expected 3, as the header has");
}

TEST(Prompt, has_as_many_tokens_as_it_shall) {
  for (const std::uint64_t tokens : {1UL, 2UL, 511UL, 512UL, 513UL, 5000UL}) {
    const traces::Request plain{.prompt = Tokens{tokens}, .answer = Tokens{1}};
    EXPECT_EQ(sim::tokenise(prompt_text(plain, 7, 1)).size(), tokens);
    traces::Request blocks = plain;
    blocks.block_tokens = Tokens{512};
    for (std::uint64_t at = 0; at < tokens; at += 512) blocks.blocks.push_back(at + 1);
    EXPECT_EQ(sim::tokenise(prompt_text(blocks, 7, 1)).size(), tokens);
  }
}

TEST(Prompt, equal_blocks_are_equal_words) {
  const traces::Request first{
      .prompt = Tokens{30}, .answer = Tokens{1}, .blocks = {4, 5, 6}, .block_tokens = Tokens{10}};
  traces::Request second = first;
  second.blocks = {4, 5, 7};
  const auto one = prompt_text(first, 1, 1), other = prompt_text(second, 2, 1);
  const auto words = [](const std::string& text) { return sim::tokenise(text); };
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(words(one)[i], words(other)[i]) << i;
  EXPECT_NE(one, other);
  second.prompt = Tokens{15};
  second.blocks = {4, 5};
  EXPECT_TRUE(one.starts_with(prompt_text(second, 3, 1))) << "a shorter last block is the beginning of the whole one";
  EXPECT_NE(prompt_text(first, 1, 1), prompt_text(first, 1, 2)) << "another seed, other texts";
}

TEST(Prompt, without_blocks_no_two_begin_alike) {
  const traces::Request request{.prompt = Tokens{8}, .answer = Tokens{1}};
  std::set<std::string> texts;
  for (std::uint64_t number = 0; number < 1'000; ++number) texts.insert(prompt_text(request, number, 1));
  EXPECT_EQ(texts.size(), 1'000U);
  EXPECT_EQ(prompt_text(request, 5, 1), prompt_text(request, 5, 1));
}

TEST(Question, is_written_in_its_dialect) {
  Settings settings = settings_of(OpenLoop{});
  settings.target = http::parse_base_url("http://gpu:8080/v").value();
  settings.headers = {{"authorization", "Bearer x"}, {"User-Agent", "me"}};
  for (const auto& [route, path] : {std::pair(api::Route::chat, "/v/api/chat"),
                                    {api::Route::generate, "/v/api/generate"},
                                    {api::Route::chat_completions, "/v/v1/chat/completions"},
                                    {api::Route::completions, "/v/v1/completions"}}) {
    settings.route = route;
    const Question question = QuestionWriter(settings).write({.prompt = Tokens{3}, .answer = Tokens{9}}, 1);
    EXPECT_TRUE(question.head.starts_with(fmt::format("POST {} HTTP/1.1\r\nHost: gpu:8080\r\n", path)))
        << question.head;
    EXPECT_NE(question.head.find("authorization: Bearer x\r\n"), std::string::npos) << question.head;
    EXPECT_NE(question.head.find("User-Agent: me\r\n"), std::string::npos) << question.head;
    EXPECT_EQ(question.head.find("drover-load"), std::string::npos) << "replaced by the user's";
    const auto read = sim::read_request(route, question.body);
    ASSERT_TRUE(read) << question.body;
    EXPECT_EQ(read->model, "llama3.2:3b");
    EXPECT_TRUE(read->stream);
    auto request = *read;
    EXPECT_FALSE(sim::read_options(request));
    EXPECT_EQ(request.num_predict, 9);
  }
}

struct EndingCase {
  std::string_view name;
  AnswerSeen seen;
  End end;
  std::string_view kind;
};

class Endings : public testing::TestWithParam<EndingCase> {};

TEST_P(Endings, of_answers) {
  const Ending ending = ending_of_answer(GetParam().seen);
  EXPECT_EQ(ending.end, GetParam().end) << name(ending.end);
  EXPECT_EQ(ending.kind, GetParam().kind);
}

using api::Verdict;
INSTANTIATE_TEST_SUITE_P(
    Answer, Endings,
    testing::Values(
        EndingCase{"whole", {.verdict = Verdict::complete, .first_token = true}, End::ok, ""},
        EndingCase{"broken_behind_its_terminator",
                   {.verdict = Verdict::complete, .broke = ErrorCode::reset, .first_token = true},
                   End::ok,
                   ""},
        EndingCase{"no_terminator", {.first_token = true}, End::cut, "no_terminator"},
        EndingCase{"empty", {}, End::failed, "no_terminator"},
        EndingCase{"reset", {.broke = ErrorCode::reset, .first_token = true}, End::cut, "reset"},
        EndingCase{"reset_before_a_token", {.broke = ErrorCode::reset}, End::failed, "reset"},
        EndingCase{"late", {.broke = ErrorCode::timed_out, .first_token = true}, End::cut, "timed_out"},
        EndingCase{"error_told_then_reset",
                   {.verdict = Verdict::failed_in_band, .broke = ErrorCode::reset, .first_token = true},
                   End::cut,
                   "error_in_answer"},
        EndingCase{"not_done", {.verdict = Verdict::done_false, .first_token = true}, End::cut, "no_terminator"},
        EndingCase{"wrong_token",
                   {.verdict = Verdict::complete, .first_token = true, .wrong = "token 3"},
                   End::wrong,
                   "wrong_token"},
        EndingCase{"wrong_token_then_cut",
                   {.broke = ErrorCode::reset, .first_token = true, .wrong = "token 3"},
                   End::wrong,
                   "wrong_token"},
        EndingCase{"tokens_missing",
                   {.verdict = Verdict::complete, .first_token = true, .tokens_missing = true},
                   End::wrong,
                   "missing_token"},
        EndingCase{"cut_has_fewer_tokens",
                   {.broke = ErrorCode::reset, .first_token = true, .tokens_missing = true},
                   End::cut,
                   "reset"},
        EndingCase{"stopped_by_us", {.broke = ErrorCode::cancelled, .first_token = true}, End::unfinished, ""}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Ending, refusals_are_told_apart_by_status_and_reason) {
  const auto check = [](const Ending& ending, End end, std::string_view kind, std::string_view message) {
    EXPECT_EQ(ending.end, end);
    EXPECT_EQ(ending.kind, kind);
    EXPECT_EQ(ending.message, message);
  };
  check(ending_of_refusal(503, "queue_full", R"({"error":"full"})"), End::refused, "503 queue_full", "full");
  check(ending_of_refusal(429, "", R"({"error":{"message":"slow down"}})"), End::refused, "429", "slow down");
  check(ending_of_refusal(404, "", "404 page not found"), End::failed, "404", "404 page not found");
  check(ending_of_refusal(502, "", std::string(5'000, 'x')), End::failed, "502",
        std::string(Outcome::kMaxMessage, 'x'));
  check(ending_without_answer(ErrorCode::connect_refused, {}), End::failed, "connect_refused", "");
  check(ending_without_answer(ErrorCode::protocol, "first_line"), End::failed, "protocol", "first_line");
  check(ending_without_answer(ErrorCode::cancelled, {}), End::unfinished, "", "");
}

// The text of a body, `t:` before thinking, fed in pieces of that size.
std::string text_of(api::Framing framing, std::string_view body, std::size_t piece, bool* damaged = nullptr) {
  std::string text;
  AnswerText reader(framing, [&text](std::string_view part, AnswerText::Kind kind) {
    if (kind == AnswerText::Kind::thinking) text += "t:";
    text += part;
  });
  for (std::size_t at = 0; at < body.size(); at += piece) reader.feed(body.substr(at, piece));
  reader.finish();
  if (damaged != nullptr) *damaged = reader.damaged();
  return text;
}

TEST(AnswerText, is_found_in_every_dialect_however_it_is_cut) {
  using enum api::Framing;
  struct Case {
    api::Framing framing;
    std::string_view body, text;
  };
  constexpr Case kCases[] = {
      {ndjson, "{\"response\":\"A\"}\n{\"response\":\" b\\u00e9\"}\n{\"response\":\"\",\"done\":true}\n",
       "A b\xc3\xa9"},
      {ndjson, "{\"message\":{\"content\":\"\",\"thinking\":\"Hm\"}}\n{\"message\":{\"content\":\"A\"}}\n", "t:HmA"},
      {sse,
       ": ping\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"\",\"reasoning\":\"Hm\"}}]}\n\n"
       "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n",
       "t:HmA"},
      {sse, "data: {\"choices\":[{\"text\":\"A\"}]}\r\n\r\n", "A"},
      {single, "{\"choices\":[{\"message\":{\"content\":\"A b\"}}]}\n", "A b"},
      {single, "{\n\"response\":\"A\"}", "A"}};
  for (const Case& each : kCases) {
    for (const std::size_t piece : {1UL, 7UL, 1000UL}) EXPECT_EQ(text_of(each.framing, each.body, piece), each.text);
  }
  bool damaged = false;
  EXPECT_EQ(text_of(ndjson, "{\"response\":\"A\"}\nnonsense\n", 100, &damaged), "A");
  EXPECT_TRUE(damaged);
}

constexpr std::string_view kBody =
    R"({"model":"llama3.2:3b","prompt":"Why?","stream":true,"options":{"num_predict":5}})";

std::vector<std::string> tokens_of(std::uint64_t seed) {
  auto request = sim::read_request(api::Route::generate, kBody).value();
  EXPECT_FALSE(sim::read_options(request));
  const sim::Script script(seed, *sim::known_model(request.model), request, sim::render_prompt(request), 5);
  return script.texts(5);
}

TEST(SimCheck, takes_the_right_tokens_and_no_others) {
  const auto tokens = tokens_of(3);
  const auto check_of = [](const std::vector<std::string>& texts) {
    auto check = SimCheck::make(api::Route::generate, kBody, 3).value();
    for (const auto& text : texts) check->take(text, AnswerText::Kind::content);
    return check;
  };
  EXPECT_TRUE(check_of(tokens)->complete());
  std::string joined;
  for (const auto& token : tokens) joined += token;
  EXPECT_TRUE(check_of({joined.substr(0, 7), joined.substr(7)})->complete()) << "however they are cut";

  const auto four = std::vector(tokens.begin(), tokens.end() - 1);
  EXPECT_FALSE(check_of(four)->complete());
  EXPECT_EQ(check_of(four)->fault(), "") << "so far nothing is wrong";

  auto twice = tokens;
  twice.insert(twice.begin() + 2, twice[1]);
  EXPECT_EQ(check_of(twice)->fault(), fmt::format("token 2 is {:?}; expected {:?}", tokens[1], tokens[2]));
  auto more = tokens;
  more.push_back(" more");
  EXPECT_EQ(check_of(more)->fault(), "\" more\" behind the last token");
  EXPECT_NE(check_of(tokens_of(4))->fault(), "") << "of another seed";

  auto check = SimCheck::make(api::Route::generate, kBody, 3).value();
  check->take(tokens[0], AnswerText::Kind::thinking);
  EXPECT_NE(check->fault(), "") << "it is no thought";
}

TEST(SimCheck, knows_only_models_of_simulated_nodes) {
  EXPECT_EQ(SimCheck::make(api::Route::generate, R"({"model":"mine","prompt":"x"})", 1).error().detail,
            "no simulated node has a model 'mine'");
}

TEST(OutcomeLine, has_a_cell_for_each_title_whatever_servers_write) {
  const Outcome outcome{.number = 4,
                        .due = 1s,
                        .sent = 1s + 1ms,
                        .first_token = 1s + 10ms,
                        .ended = 2s,
                        .prompt = Tokens{10},
                        .asked = Tokens{20},
                        .prompt_read = Tokens{12},
                        .tokens = Tokens{12},
                        .status = 200,
                        .node = "=a,\"b\"\n",
                        .request_id = "7dd0",
                        .end = End::ok};
  EXPECT_EQ(outcome_line(outcome),
            "4,1000.000,1001.000,2000.000,10.000,90.000,1000.000,10,20,12,12,200,ok,,?a??b??,7dd0\n");
  const auto cells = [](std::string_view line) { return std::ranges::count(line, ','); };
  EXPECT_EQ(cells(outcome_line({})), cells(kOutcomeTitles));
}

}  // namespace
}  // namespace drover::load
