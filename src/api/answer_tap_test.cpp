// Answers of real shapes, cut anywhere: what the tap makes of them.
#include "api/answer_tap.h"

#include <gtest/gtest.h>

#include <ostream>

#include "base/random.h"

namespace drover::api {
namespace {

using std::chrono::nanoseconds;

struct TapCase {
  std::string_view name;
  Route route;
  Framing framing;
  std::string_view answer;
  Verdict verdict;
  std::uint64_t messages;
  AnswerMetrics metrics{};
  bool at_boundary = true;
};

void PrintTo(const TapCase& tap, std::ostream* out) { *out << tap.name; }

constexpr AnswerMetrics kNative{.prompt_tokens = 12,
                                .cached_tokens = 4,
                                .eval_tokens = 2,
                                .total = nanoseconds(410),
                                .load = nanoseconds(90),
                                .prompt_eval = nanoseconds(40),
                                .eval = nanoseconds(20)};
constexpr AnswerMetrics counts(std::uint64_t prompt, std::uint64_t eval) {
  AnswerMetrics metrics;
  metrics.prompt_tokens = prompt;
  metrics.eval_tokens = eval;
  return metrics;
}

#define LINE(text)                                                                             \
  R"({"model":"m","created_at":"2026-08-22T10:00:00Z","response":")" text R"(","done":false})" \
  "\n"
#define CHUNK(delta, finish)                                                                                        \
  R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp",)" \
  R"("choices":[{"index":0,"delta":)" delta R"(,"finish_reason":)" finish "}]}\n\n"

constexpr std::string_view kDone =
    R"({"model":"m","created_at":"2026-08-22T10:00:00.14Z","response":"","done":true,"done_reason":"stop",)"
    R"("context":[1,2,3],"total_duration":410,"load_duration":90,"prompt_eval_count":12,)"
    R"("prompt_eval_cached_count":4,"prompt_eval_duration":40,"eval_count":2,"eval_duration":20})";

std::string with_done(std::string_view before, std::string_view after) {
  return std::string(before) + std::string(kDone) + std::string(after);
}

// The end of a chat, which is recognised by its form, with other words in some places.
std::string chat_end(std::string_view message = R"("content":"")",
                     std::string_view done = R"("done":true,"done_reason":"stop",)",
                     std::string_view last = R"("eval_duration":20})") {
  return fmt::format(
      R"({{"model":"m","created_at":"2026-08-22T10:00:00.14Z","message":{{"role":"assistant",{}}},{}"total_duration":410,)"
      R"("load_duration":90,"prompt_eval_count":12,"prompt_eval_cached_count":4,"prompt_eval_duration":40,)"
      R"("eval_count":2,{})"
      "\n",
      message, done, last);
}

std::vector<std::pair<TapCase, std::string>> cases() {
  using enum Route;
  using enum Framing;
  using enum Verdict;
  const auto plain = [](const TapCase& tap) { return std::pair{tap, std::string(tap.answer)}; };
  return {
      {{"a_stream", generate, ndjson, "", complete, 2, kNative}, with_done(LINE("Hel") LINE("lo"), "\n")},
      {{"the_last_line_without_its_newline", generate, ndjson, "", complete, 1, kNative, false},
       with_done(LINE("x"), "")},
      {{"one_object", generate, single, "", complete, 1, kNative, false}, with_done("", "")},
      {{"the_end_of_a_chat", chat, ndjson, "", complete, 1, kNative}, LINE("x") + chat_end()},
      {{"a_whole_chat", chat, single, "", complete, 1, kNative, false}, chat_end()},
      {{"an_end_without_a_reason", chat, single, "", complete, 1, kNative, false},
       chat_end(R"("content":"")", R"("done":true,)")},
      {{"an_end_in_other_words", chat, single, "", complete, 1, kNative, false},
       chat_end(R"("content":"")", R"("done":true,"done_reason":"a \"b\"","x":{},)")},
      {{"an_end_with_a_blank", chat, single, "", complete, 1, kNative, false},
       chat_end(R"("content":"")", R"("done":true,"done_reason":"stop",)", R"("eval_duration": 20})")},
      {{"not_done_but_a_tool_is", chat, single, "", done_false, 1, kNative, false},
       chat_end(R"("tool_calls":[{"function":{"name":"f","arguments":{"a":1,"done":true,"eval_count":7}}}])",
                R"("done":false,)")},
      {{"not_done_but_the_text_says_so", chat, single, "", done_false, 1, kNative, false},
       chat_end(R"("content":",\"done\":true,\"eval_count\":7}")", R"("done":false,)")},
      {{"cut_behind_a_tool_that_is_done", chat, single, "", truncated, 1, {}, false},
       R"({"model":"m","message":{"tool_calls":[{"function":{"arguments":{"a":1,"done":true,"eval_count":7}}}])"},
      {{"two_answers_where_one_is_due", chat, single, "", done_false, 1, {}, false}, LINE("x") + chat_end()},
      {{"an_error_that_is_done", chat, single, "", failed_in_band, 1, kNative, false},
       chat_end(R"("content":"")", R"("error":"x","done":true,)")},
      plain({"nothing", chat, ndjson, "", truncated, 0}),
      plain({"row_36_no_terminator", chat, ndjson, LINE("Hel") LINE("lo"), truncated, 2}),
      plain({"cut_in_a_line", chat, ndjson, LINE("a") R"({"model":"m","mess)", truncated, 1, {}, false}),
      plain({"cut_before_the_name_of_its_model", chat, single, R"({"model":")", truncated, 1, {}, false}),
      plain({"a_line_cut_before_the_name_of_its_model", chat, ndjson,
             R"({"model":")"
             "\n",
             truncated, 0}),
      plain({"cut_in_the_last_line",
             chat,
             ndjson,
             R"({"model":"m","done":true,"eval_count":7)",
             truncated,
             0,
             {},
             false}),
      plain({"row_36_an_error_line", generate, ndjson,
             LINE("a") R"({"error":"an error was encountered"})"
                       "\n",
             failed_in_band, 1}),
      plain({"an_error_without_newline", chat, ndjson, R"({"error":"x"})", failed_in_band, 0, {}, false}),
      plain({"the_marker_inside_a_text", generate, ndjson, LINE(R"(say \"done\":true, please)") LINE(R"(\"error\":1)"),
             truncated, 2}),
      plain(
          {"the_marker_inside_an_inner_object", chat, ndjson,
           R"({"model":"m","message":{"tool_calls":[{"function":{"arguments":{"done":true,"error":"x"}}}]},"done":false})"
           "\n",
           truncated, 1}),
      plain({"an_inner_not_done_beside_done", chat, ndjson,
             R"({"message":{"tool_calls":[{"arguments":{"x":1,"done":false}}]},"done":true,"eval_count":3})"
             "\n",
             complete, 0,
             [] {
               AnswerMetrics m;
               m.eval_tokens = 3;
               return m;
             }()}),
      plain({"blanks_between_tokens", chat, ndjson, "{ \"done\" : false }\n{ \"done\" : true }\n", complete, 1}),
      plain({"logprobs_behind_done", generate, ndjson,
             R"({"response":"a","done":false,"logprobs":[{"token":"a"}]})"
             "\n",
             truncated, 1}),
      plain({"empty_lines", generate, ndjson, "\n" LINE("a") "\n", truncated, 1}),
      plain({"what_is_no_json", generate, ndjson, "<html>\n", truncated, 0}),
      plain({"a_load",
             generate,
             single,
             R"({"model":"m","response":"","done":true,"done_reason":"load"})",
             complete,
             1,
             {},
             false}),
      plain({"row_36_one_object_not_done",
             chat,
             single,
             R"({"model":"m","message":{"content":"Hel"},"done":false})",
             done_false,
             1,
             {},
             false}),
      plain({"one_object_cut", chat, single, R"({"model":"m","message":{"content":"Hel)", truncated, 1, {}, false}),
      plain({"one_error_object", chat, single, R"({"error":"x"})", failed_in_band, 1, {}, false}),
      plain({"embeddings", embed, single, R"({"model":"m","embeddings":[[0.1,-2e-3],[1]],"prompt_eval_count":5})",
             complete, 1,
             [] {
               AnswerMetrics m;
               m.prompt_tokens = 5;
               return m;
             }(),
             false}),
      plain(
          {"openai_stream", chat_completions, sse,
           CHUNK(R"({"role":"assistant","content":"Hi"})", "null") CHUNK(R"({"content":"!"})", "null") CHUNK(
               "{}",
               R"("stop")") R"(data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens":2,"total_tokens":7}})"
                            "\n\ndata: [DONE]\n\n",
           complete, 3,
           [] {
             AnswerMetrics m = counts(5, 2);
             m.cached_tokens = 3;
             return m;
           }()}),
      plain({"openai_stream_without_usage", chat_completions, sse,
             CHUNK(R"({"content":"Hi"})", "null") CHUNK("{}", R"("stop")") "data: [DONE]\n\n", complete, 2}),
      plain({"row_36_openai_no_done", chat_completions, sse,
             CHUNK(R"({"content":"Hi"})", "null") CHUNK("{}", R"("stop")"), truncated, 2}),
      plain(
          {"openai_crash_event", chat_completions, sse,
           CHUNK(
               R"({"content":"Hi"})",
               "null") R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]})"
                       "\n\n",
           failed_in_band, 1}),
      plain(
          {"completions_crash_event", completions, sse,
           R"(data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"","choices":[{"text":"","index":0,"finish_reason":null}]})"
           "\n\n",
           failed_in_band, 0}),
      plain({"openai_error_event", chat_completions, sse,
             CHUNK(R"({"content":"Hi"})", "null") R"(data: {"error":{"message":"x"}})"
                                                  "\n\n",
             failed_in_band, 1}),
      plain({"openai_marker_inside_a_text", chat_completions, sse,
             CHUNK(R"({"content":"data: [DONE]"})", "null")
                 CHUNK(R"({"content":"\"model\":\"\" \"error\":1"})", "null"),
             truncated, 2}),
      plain({"sse_comments_and_other_fields", chat_completions, sse,
             ": waiting\n\nevent: x\nid: [DONE]\ndata:[DONE]\r\n\n", complete, 0}),
      plain({"sse_cut_between_line_and_event",
             chat_completions,
             sse,
             "data: {\"choices\":[{}]}\n",
             truncated,
             1,
             {},
             false}),
      plain({"sse_cut_in_the_terminator",
             chat_completions,
             sse,
             CHUNK("{}", R"("stop")") "data: [DON",
             truncated,
             1,
             {},
             false}),
      plain(
          {"completions_usage_on_every_event", completions, sse,
           R"(data: {"model":"m","choices":[{"text":"a","index":0,"finish_reason":null}],"usage":{"prompt_tokens":0,"completion_tokens":0}})"
           "\n\n"
           R"(data: {"model":"m","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":9}})"
           "\n\ndata: [DONE]\n\n",
           complete, 1, counts(4, 9)}),
      plain(
          {"openai_object", chat_completions, single,
           R"({"model":"m","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}})"
           "\n",
           complete, 1, counts(1, 1), false}),
      plain({"openai_object_without_finish",
             chat_completions,
             single,
             R"({"model":"m","choices":[{"message":{"content":"H"},"finish_reason":null}]})",
             done_false,
             1,
             {},
             false}),
      plain({"openai_embeddings", openai_embeddings, single,
             R"({"object":"list","data":[{"embedding":[1]}],"usage":{"prompt_tokens":3,"total_tokens":3}})", complete,
             1,
             [] {
               AnswerMetrics m;
               m.prompt_tokens = 3;
               return m;
             }(),
             false}),
      plain(
          {"numbers_that_are_no_counts", generate, ndjson,
           R"({"done":true,"eval_count":-1,"prompt_eval_count":"7","eval_duration":1e9,"total_duration":99999999999999999999})"
           "\n",
           complete, 0}),
  };
}

class Tap : public testing::TestWithParam<std::pair<TapCase, std::string>> {};

void expect(const AnswerTap& tap, const TapCase& expected, std::string_view how) {
  EXPECT_EQ(int(tap.verdict()), int(expected.verdict)) << how;
  EXPECT_EQ(tap.messages(), expected.messages) << how;
  EXPECT_EQ(tap.first_token_seen(), expected.messages > 0) << how;
  EXPECT_TRUE(tap.metrics() == expected.metrics) << how << ": prompt " << tap.metrics().prompt_tokens.value_or(0)
                                                 << ", eval " << tap.metrics().eval_tokens.value_or(0);
  EXPECT_EQ(tap.at_boundary(), expected.at_boundary) << how;
  EXPECT_EQ(tap.error_seen(), expected.verdict == Verdict::failed_in_band) << how;
  EXPECT_EQ(tap.terminator_seen() && !tap.error_seen(), expected.verdict == Verdict::complete) << how;
}

TEST_P(Tap, sees_the_same_however_the_answer_is_cut) {
  const auto& [expected, answer] = GetParam();
  AnswerTap whole(expected.route, expected.framing);
  whole.feed(answer);
  expect(whole, expected, "whole");
  AnswerTap ended(expected.route, expected.framing);
  ended.feed(answer, true);
  expect(ended, expected, "whole, and known to be");

  AnswerTap bytewise(expected.route, expected.framing);
  for (const char& c : answer) bytewise.feed({&c, 1});
  expect(bytewise, expected, "byte by byte");

  Random random(3);
  for (int i = 0; i < 50; ++i) {
    AnswerTap pieces(expected.route, expected.framing);
    std::string_view rest = answer;
    while (!rest.empty()) {
      const std::string piece(rest.substr(0, 1 + random.below(100)));
      pieces.feed(piece);
      rest.remove_prefix(piece.size());
    }
    expect(pieces, expected, "in pieces");
  }
}

INSTANTIATE_TEST_SUITE_P(AnswerTap, Tap, testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.first.name); });

TEST(AnswerTap, row_34_reads_lines_of_any_length_without_keeping_them) {
  AnswerTap tap(Route::generate, Framing::ndjson);
  tap.feed(R"({"model":"m","response":"","done":true,"context":[)");
  for (int i = 0; i < 1000; ++i) tap.feed("12345,67890,12345,67890,12345,67890,12345,67890,12345,67890,12345,67890,");
  tap.feed("1],\"eval_count\":9}\n");
  EXPECT_EQ(tap.verdict(), Verdict::complete);
  EXPECT_EQ(tap.metrics().eval_tokens, 9U);
  EXPECT_LE(sizeof(AnswerTap), 1024U) << "all the memory it has";
}

TEST(AnswerTap, knows_framings_by_media_type) {
  EXPECT_EQ(framing_of("application/x-ndjson"), Framing::ndjson);
  EXPECT_EQ(framing_of("text/event-stream; charset=utf-8"), Framing::sse);
  EXPECT_EQ(framing_of("application/json; charset=utf-8"), Framing::single);
  EXPECT_EQ(framing_of(""), Framing::single);
}

}  // namespace
}  // namespace drover::api
