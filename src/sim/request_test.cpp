// How a node reads bodies: sections 2.1 to 2.9 and 3.2, and the words of Go's decoder.
#include <gtest/gtest.h>

#include "sim/go_decode.h"
#include "sim/handler.h"
#include "sim/request.h"

namespace drover::sim {
namespace {

using api::Route;

struct DecodeCase {
  std::string_view text;
  std::string_view outcome;  // the value as JSON, or Go's words
};

constexpr DecodeCase kDecodeCases[] = {
    {"", "EOF"},
    {"  \n", "EOF"},
    {"{\"a\":1} trailing", "{\"a\":1}"},
    {"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}"},
    {"{\"a\":", "unexpected EOF"},
    {"{\"a\":\"x", "unexpected EOF"},
    {"{\"a\":}", "invalid character '}' looking for beginning of value"},
    {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
    {"{a:1}", "invalid character 'a' looking for beginning of object key string"},
    {"{\"a\" 1}", "invalid character '1' after object key"},
    {"{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"},
    {"[1 2]", "invalid character '2' after array element"},
    {"tru3", "invalid character '3' in literal true (expecting 'e')"},
    {"-x", "invalid character 'x' in numeric literal"},
    {"1.x", "invalid character 'x' after decimal point in numeric literal"},
    {"1ex", "invalid character 'x' in exponent of numeric literal"},
    {"\"\\x\"", "invalid character 'x' in string escape code"},
    {"\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"},
    {"\"a\nb\"", "invalid character '\\n' in string literal"},
    {"'a'", "invalid character '\\'' looking for beginning of value"},
    {"\"\\ud83d\\ude00\\ud83d\"", "\"\xf0\x9f\x98\x80\xef\xbf\xbd\""},
    {"\"\xff\"", "\"\xef\xbf\xbd\""},
    {"[1,2.5,-3,true,null,\"x\",[],{}]", "[1,2.5,-3,true,null,\"x\",[],{}]"},
};

TEST(GoDecode, reads_what_go_reads_and_refuses_in_its_words) {
  for (const DecodeCase& each : kDecodeCases) {
    const auto document = go_decode(each.text);
    EXPECT_EQ(document ? to_text(document->value) : document.error(), each.outcome) << each.text;
  }
}

TEST(GoDecode, takes_depth_without_recursion_up_to_gos_own_bound) {
  EXPECT_TRUE(go_decode(std::string(10'000, '[') + std::string(10'000, ']')));
  EXPECT_EQ(go_decode(std::string(10'001, '[')).error(), "exceeded max depth");
}

std::string refusal(Route route, std::string_view body) {
  const auto request = read_request(route, body);
  return request ? "" : fmt::format("{} {}", request.error().status, request.error().message);
}

struct RefusalCase {
  Route route;
  std::string_view body;
  std::string_view expected;
};

constexpr RefusalCase kRefusals[] = {
    {Route::generate, "", "400 missing request body"},
    {Route::chat_completions, "", "400 EOF"},
    {Route::generate, R"({"model":"m","stream":"yes"})",
     "400 json: cannot unmarshal string into Go struct field .GenerateRequest.stream of type bool"},
    {Route::chat, R"({"model":"m","messages":"hi"})",
     "400 json: cannot unmarshal string into Go struct field .ChatRequest.messages of type []api.Message"},
    {Route::chat, R"({"messages":[{"role":"user","content":["x"]}]})",
     "400 json: cannot unmarshal array into Go struct field .ChatRequest.messages.content of type string"},
    {Route::embed, R"({"model":7})",
     "400 json: cannot unmarshal number into Go struct field EmbedRequest.model of type string"},
    {Route::generate, R"([1])",
     "400 json: cannot unmarshal array into Go value of type struct { *api.GenerateRequest; Think json.RawMessage "
     "\"json:\\\"think\\\"\" }"},
    {Route::generate, R"({"keep_alive":"300"})", "400 time: missing unit in duration \"300\""},
    {Route::generate, R"({"keep_alive":"-1"})", "400 time: missing unit in duration \"-1\""},
    {Route::generate, R"({"keep_alive":true})", "400 Unsupported type: 'bool'"},
    {Route::generate, R"({"images":["%%%"]})", "400 illegal base64 data at input byte 0"},
    {Route::generate, R"({"top_logprobs":21})", "400 top_logprobs must be between 0 and 20"},
    {Route::embed, R"({"input":[1]})", "400 invalid input type"},
    {Route::chat_completions, "{}", "400 [] is too short - 'messages'"},
    {Route::chat_completions, R"({"messages":[{"role":"user","content":"x"}],"reasoning_effort":"loads"})",
     "400 invalid reasoning value: 'loads' (must be \"high\", \"medium\", \"low\", \"max\", or \"none\")"},
    {Route::chat_completions,
     R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a/b.png"}}]}]})",
     "400 image URLs are not currently supported, please use base64 encoded data instead"},
    {Route::openai_embeddings, "{}", "400 invalid input"},
    {Route::openai_embeddings, R"({"input":[1,2]})", "400 invalid input type"},
};

TEST(Request, section_3_2_refuses_bodies_in_the_nodes_words) {
  for (const RefusalCase& each : kRefusals) EXPECT_EQ(refusal(each.route, each.body), each.expected) << each.body;
}

TEST(Request, section_2_1_keys_match_in_any_case_and_the_last_that_is_not_null_counts) {
  EXPECT_EQ(read_request(Route::generate, R"({"model":"a","MODEL":"b"})")->model, "b");
  EXPECT_EQ(read_request(Route::generate, R"({"MODEL":"a","model":null})")->model, "a");
  EXPECT_EQ(read_request(Route::generate, "{\"model\":\"a\",\"Prompt\":\"x\"} junk")->prompt, "x");
  EXPECT_EQ(read_request(Route::generate, "{\"\xc5\xbfystem\":\"s\"}")->system, "s") << "U+017F folds to s";
}

TEST(Request, section_2_3_reads_lifetimes) {
  const auto lifetime = [](std::string_view value) {
    return read_request(Route::generate, fmt::format(R"({{"keep_alive":{}}})", value))->keep_alive;
  };
  EXPECT_EQ(lifetime("300"), std::chrono::seconds(300));
  EXPECT_EQ(lifetime("0.5"), std::chrono::milliseconds(500));
  EXPECT_EQ(lifetime("\"1h30m\""), std::chrono::minutes(90));
  EXPECT_EQ(lifetime("-1"), kForever);
  EXPECT_EQ(lifetime("\"-1m\""), kForever);
  EXPECT_EQ(lifetime("\"0\""), Duration::zero());
  EXPECT_EQ(lifetime("null"), std::nullopt);
}

TEST(Request, section_2_8_openai_requests_become_native_ones) {
  const auto request = read_request(Route::chat_completions, R"({"model":"m","max_tokens":7,"stop":"x","stream":true,
    "stream_options":{"include_usage":true},"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}},
    "messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->stream);
  EXPECT_TRUE(request->include_usage);
  EXPECT_EQ(request->messages.size(), 2U) << "each part is a message";
  EXPECT_EQ(request->options["num_predict"], 7);
  EXPECT_TRUE(request->format->is_object());
  EXPECT_FALSE(read_request(Route::chat_completions, R"({"messages":[{"role":"user","content":"x"}]})")->stream);
  EXPECT_TRUE(read_request(Route::chat, "{}")->stream);
}

// What a node that holds the known models decides.
struct Handlers {
  NodeSettings settings = fleet_of(1).nodes[0];
  Store store{settings};
  Node node{settings};

  Decision decide_on(Route route, std::string_view body) {
    auto request = read_request(route, body);
    if (!request) return request.error();
    return decide(*request, store, node, 1);
  }
};

std::string outcome(const Decision& decision) {
  if (const auto* failure = std::get_if<Failure>(&decision))
    return fmt::format("{} {}", failure->status, failure->message);
  if (std::holds_alternative<Unload>(decision)) return "unload";
  const Work& work = std::get<Work>(decision);
  if (work.refusal) return fmt::format("later {} {}", work.refusal->status, work.refusal->message);
  return work.load_only ? "load" : "work";
}

constexpr RefusalCase kDecisions[] = {
    {Route::generate, R"({"prompt":"x"})", "404 model '' not found"},
    {Route::chat, R"({"messages":[]})", "400 model is required"},
    {Route::embed, R"({"input":"x"})", "404 model '' not found"},
    {Route::embeddings, R"({"prompt":"x"})", "400 model is required"},
    {Route::generate, R"({"model":"a b","prompt":"x"})", "400 invalid model name"},
    {Route::generate, R"({"model":"nobody","prompt":"x"})", "404 model 'nobody' not found"},
    {Route::embed, R"({"model":"nobody","input":"x"})", "404 model \"nobody\" not found, try pulling it first"},
    {Route::generate, R"({"model":"LLAMA3.2:3B","prompt":"x"})", "work"},
    {Route::embeddings, R"({"model":"NOMIC-embed-text","prompt":"x"})",
     "404 model \"NOMIC-embed-text\" not found, try pulling it first"},
    {Route::embeddings, R"({"model":"nomic-embed-text","prompt":"x"})", "work"},
    {Route::chat, R"({"model":"gpt:cloud","messages":[]})",
     "403 ollama cloud is disabled: remote model is unavailable"},
    {Route::generate, R"({"model":"x:cloud:local"})", "400 use either :local or :cloud, not both: \"x:cloud:local\""},
    {Route::generate, R"({"model":"llama3.2:3b"})", "load"},
    {Route::generate, R"({"model":"llama3.2:3b","keep_alive":0})", "unload"},
    {Route::generate, R"({"model":"nomic-embed-text","keep_alive":"0s"})", "unload"},
    {Route::chat, R"({"model":"llama3.2:3b","keep_alive":0})", "unload"},
    {Route::embed, R"({"model":"nomic-embed-text","keep_alive":0})", "load"},
    {Route::chat, R"({"model":"nomic-embed-text","messages":[]})", "400 \"nomic-embed-text\" does not support chat"},
    {Route::generate, R"({"model":"nomic-embed-text","prompt":"x"})",
     "400 \"nomic-embed-text\" does not support generate"},
    {Route::chat, R"({"model":"gemma3:4b","messages":[{"role":"user","content":"x"}],"tools":[{}]})",
     "400 registry.ollama.ai/library/gemma3:4b does not support tools"},
    {Route::generate, R"({"model":"llama3.2:3b","prompt":"x","suffix":"y"})",
     "400 registry.ollama.ai/library/llama3.2:3b does not support insert"},
    {Route::chat, R"({"model":"llama3.2:3b","messages":[{"role":"user","content":"x"}],"think":true})",
     "400 \"llama3.2:3b\" does not support thinking"},
    {Route::chat, R"({"model":"qwen3:8b","messages":[{"role":"user","content":"x"}],"think":"foo"})",
     "400 invalid think value: \"foo\" (must be \"high\", \"medium\", \"low\", \"max\", true, or false)"},
    {Route::chat, R"({"model":"nobody","messages":[{"role":"user","content":"x"}],"think":"foo"})",
     "404 model 'nobody' not found"},
    {Route::generate, R"({"model":"llama3.2:3b","prompt":"x","options":{"num_ctx":"many"}})",
     "500 option \"num_ctx\" must be of type integer"},
    {Route::generate, R"({"model":"llama3.2:3b","prompt":"x","options":{"temperature":"hot"}})",
     "500 option \"temperature\" must be of type float32"},
    {Route::generate, R"({"model":"llama3.2:3b","options":{"typical_p":1}})", "400 typical_p is no longer supported"},
    {Route::generate, R"({"model":"llama3.2:3b","prompt":"x","format":"xml"})",
     "later 500 invalid format: \"\\\"xml\\\"\"; expected \"json\" or a valid JSON Schema object"},
    {Route::generate, R"({"model":"llama3.2:3b","prompt":"x","raw":true,"system":"s"})",
     "400 raw mode does not support template, system, or context"},
    {Route::embed, R"({"model":"llama3.2:3b","input":"x"})",
     "later 501 This server does not support embeddings. Start it with `--embeddings`"},
    {Route::embed, R"({"model":"nomic-embed-text","input":[]})", "load"},
    {Route::openai_embeddings, R"({"model":"nomic-embed-text","input":""})", "work"},
    {Route::generate, R"({"model":"llama3.2:3b","prompt":"a b c d e f g h","truncate":false,"options":{"num_ctx":4}})",
     "later 400 {\"error\":{\"code\":400,\"message\":\"request (24 tokens) exceeds the available context size (4 "
     "tokens), try "
     "increasing it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":24,\"n_ctx\":4}}"},
};

TEST(Handler, sections_2_and_3_2_decide_as_a_node_does) {
  Handlers handlers;
  for (const RefusalCase& each : kDecisions) {
    EXPECT_EQ(outcome(handlers.decide_on(each.route, each.body)), each.expected) << each.body;
  }
}

TEST(Handler, section_2_4_a_prompt_beyond_the_context_is_cut_to_half_of_it) {
  Handlers handlers;
  std::string prompt;
  for (int i = 0; i < 2'000; ++i) prompt += "word ";
  const std::string body =
      fmt::format(R"({{"model":"llama3.2:3b","prompt":"{}","options":{{"num_ctx":512}}}})", prompt);
  const Work work = std::get<Work>(handlers.decide_on(Route::generate, body));
  EXPECT_EQ(work.ask.parts.at(0).prompt.size(), 256U);
}

TEST(Handler, section_2_3_num_predict_is_bounded_by_ten_contexts) {
  Handlers handlers;
  const Work work = std::get<Work>(handlers.decide_on(
      Route::generate, R"({"model":"llama3.2:3b","prompt":"x","options":{"num_ctx":64,"num_predict":100000}})"));
  EXPECT_EQ(work.script->tokens(), 640U);
}

}  // namespace
}  // namespace drover::sim
