// Simulated nodes as their clients see them: bytes, faults, and what happens to who leaves.
#include <gtest/gtest.h>
#include <zstd.h>

#include "net/linux_network.h"
#include "net/sim_world.h"
#include "sim/fleet.h"
#include "sim/text.h"

namespace drover::sim {
namespace {

using namespace std::chrono_literals;

// What a client got, and when.
struct Got {
  std::string bytes;
  Mono first = kNever;
  Mono last{};
  bool ended = false;                // FIN
  std::optional<ErrorCode> broke{};  // the connection broke

  std::string head() const { return bytes.substr(0, bytes.find("\r\n\r\n") + 4); }
  std::string body() const {
    const auto end = bytes.find("\r\n\r\n");
    return end == std::string::npos ? "" : bytes.substr(end + 4);
  }
  // The payload of all chunks; `whole`: with the last one.
  std::string unchunked(bool* whole = nullptr) const {
    std::string text, rest = body();
    http::ChunkedDecoder decoder;
    std::string_view left = rest;
    auto state = http::ChunkedDecoder::State::more;
    while (!left.empty() && state == http::ChunkedDecoder::State::more) {
      const auto step = decoder.step(left);
      text += step.payload;
      left.remove_prefix(step.consumed);
      state = step.state;
    }
    if (whole != nullptr) *whole = state == http::ChunkedDecoder::State::done;
    return text;
  }
};

enum class Leave : std::uint8_t { stay, close, half_close };

class World {
 public:
  explicit World(NodeSettings settings = fleet_of(1).nodes[0], net::SimNetworkSettings network = {},
                 std::uint64_t seed = 1)
      : world(seed, network),
        server(std::make_unique<Server>(loop, net.listen(*net::parse_ip("127.0.0.1", 0)).value(), std::move(settings),
                                        1)) {
    server->start();
  }
  ~World() {
    stop();
    EXPECT_TRUE(run());
  }

  void stop() { clients.spawn(server->stop()); }
  bool run(Duration most = 1h) {
    return world.run_until([this] { return clients.size() == 0; }, world.clock().mono() + most);
  }
  std::shared_ptr<Got> send(std::string bytes, Duration patience = 10min, Leave leave = Leave::close) {
    auto got = std::make_shared<Got>();
    clients.spawn(client(*this, std::move(bytes), patience, leave, got));
    return got;
  }
  Got ask(std::string bytes, Duration patience = 10min) {
    const auto got = send(std::move(bytes), patience);
    EXPECT_TRUE(run());
    return *got;
  }
  // Loads the model, so that what follows is warm.
  void warm(std::string_view model = "llama3.2:3b");
  void arm(std::string_view fault);

  net::SimWorld world;
  net::SimLoop loop{world};
  net::SimNetwork net{world, loop};
  net::TaskGroup clients{loop};
  std::unique_ptr<Server> server;

 private:
  static net::Task<> client(World& world, std::string bytes, Duration patience, Leave leave, std::shared_ptr<Got> got) {
    auto dialled = co_await world.net.dial(world.server->endpoint(), kNever);
    if (!dialled) {
      got->broke = dialled.error();
      co_return;
    }
    net::Stream& stream = **dialled;
    static_cast<void>(stream.write(bytes));
    const Mono until = world.loop.now() + patience;
    if (leave == Leave::half_close) {
      co_await net::sleep_until(until);
      stream.finish();
    }
    while (true) {
      const auto read = co_await stream.read_some(leave == Leave::half_close ? world.loop.now() + 1min : until);
      if (!read && read.error() == ErrorCode::timed_out) co_return;
      if (!read) {
        got->broke = read.error();
        co_return;
      }
      if (read->empty()) {
        got->ended = true;
        co_return;
      }
      got->bytes += *read;
      got->first = std::min(got->first, world.loop.now());
      got->last = world.loop.now();
    }
  }
};

std::string post(std::string_view path, std::string_view body, std::string_view fields = "Connection: close\r\n") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\n\r\n{}", path, fields, body.size(),
                     body);
}
std::string get(std::string_view path, std::string_view fields = "Connection: close\r\n") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", path, fields);
}
std::string chat(std::uint32_t tokens, bool stream = true, std::string_view model = "llama3.2:3b") {
  return fmt::format(
      R"({{"model":"{}","messages":[{{"role":"user","content":"Hello"}}],"stream":{},"options":{{"num_predict":{}}}}})",
      model, stream, tokens);
}

void World::warm(std::string_view model) {
  const Got got = ask(post("/api/generate", fmt::format(R"({{"model":"{}"}})", model)));
  ASSERT_TRUE(got.bytes.starts_with("HTTP/1.1 200")) << got.bytes;
}
void World::arm(std::string_view fault) {
  const Got got = ask(post("/sim/faults", fault));
  ASSERT_TRUE(got.bytes.starts_with("HTTP/1.1 200")) << got.bytes;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

// Without what differs from run to run in a real node: times, durations, ids; and without arguments drawn by chance.
std::string without_figures(std::string text) {
  for (const std::string_view key : {"created_at\":\"", "_duration\":", "Date: ", "created\":", "cmpl-",
                                     "\"tool_calls\":[{\"id\":\"", "\"city\":\""}) {
    for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
      const auto from = at + key.size();
      const auto end = text.find_first_of(key == "Date: " ? "\r" : "\",}", from);
      text.replace(from, end - from, "*");
    }
  }
  return text;
}

struct ShapeCase {
  std::string_view name;
  std::string_view path;
  std::string_view body;
  std::string_view expected;  // the payload, times and durations as *
};

constexpr std::string_view kTool =
    R"("tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}])";

// What these answers say follows from the seed; how they say it is what a node's clients depend on.
const ShapeCase kShapes[] = {
    {"section_2_5_chat_streams_a_line_a_token", "/api/chat",
     R"({"model":"llama3.2:3b","messages":[{"role":"user","content":"Hello"}],"options":{"num_predict":2}})",
     R"({"model":"llama3.2:3b","created_at":"*","message":{"role":"assistant","content":"Stofel"},"done":false}
{"model":"llama3.2:3b","created_at":"*","message":{"role":"assistant","content":" powil"},"done":false}
{"model":"llama3.2:3b","created_at":"*","message":{"role":"assistant","content":""},"done":true,"done_reason":"length","total_duration":*,"load_duration":*,"prompt_eval_count":17,"prompt_eval_cached_count":0,"prompt_eval_duration":*,"eval_count":2,"eval_duration":*}
)"},
    {"section_2_5_chat_in_one_object_has_no_newline", "/api/chat",
     R"({"model":"llama3.2","messages":[{"role":"user","content":"Hello"}],"stream":false})",
     R"({"error":"model 'llama3.2' not found"})"},
    {"section_2_4_generate_ends_with_its_context", "/api/generate",
     R"({"model":"llama3.2:3b","prompt":"Hi <b>","options":{"num_predict":1}})",
     R"({"model":"llama3.2:3b","created_at":"*","response":"Tular","done":false}
{"model":"llama3.2:3b","created_at":"*","response":"","done":true,"done_reason":"length","context":[11561,71565,97115,71565,64650,44711,21499,58980,64650,11561,71565,110017,71565,64650,11561,71565,73293,40215,71565,64650,100566],"total_duration":*,"load_duration":*,"prompt_eval_count":20,"prompt_eval_cached_count":0,"prompt_eval_duration":*,"eval_count":1}
)"},
    {"section_2_4_a_load_is_one_object", "/api/generate", R"({"model":"llama3.2:3b"})",
     R"({"model":"llama3.2:3b","created_at":"*","response":"","done":true,"done_reason":"load"})"},
    {"section_2_5_an_unload_too", "/api/chat", R"({"model":"gemma3:4b","keep_alive":0})",
     R"({"model":"gemma3:4b","created_at":"*","message":{"role":"assistant","content":""},"done":true,"done_reason":"unload"})"},
    {"section_2_5_tool_calls_come_inside_the_last_line", "/api/chat", "$last_line", R"($call_last)"},
    {"section_2_5_tool_calls_come_on_a_line_of_their_own", "/api/chat", "$own_line", R"($call_own)"},
    {"section_2_8_chat_completions_stream", "/v1/chat/completions",
     R"({"model":"llama3.2:3b","messages":[{"role":"user","content":"Hi"}],"max_tokens":2,"stream":true,"stream_options":{"include_usage":true}})",
     R"(data: {"id":"chatcmpl-*","object":"chat.completion.chunk","created":*,"model":"llama3.2:3b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"Lako"},"finish_reason":null}]}

data: {"id":"chatcmpl-*","object":"chat.completion.chunk","created":*,"model":"llama3.2:3b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"content":" vur"},"finish_reason":null}]}

data: {"id":"chatcmpl-*","object":"chat.completion.chunk","created":*,"model":"llama3.2:3b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}

data: {"id":"chatcmpl-*","object":"chat.completion.chunk","created":*,"model":"llama3.2:3b","system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":17,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens":2,"total_tokens":19}}

data: [DONE]

)"},
    {"section_2_8_chat_completions_whole", "/v1/chat/completions",
     R"({"model":"llama3.2:3b","messages":[{"role":"user","content":"Hi"}],"max_tokens":2})",
     R"({"id":"chatcmpl-*","object":"chat.completion","created":*,"model":"llama3.2:3b","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"Lako vur"},"finish_reason":"length"}],"usage":{"prompt_tokens":17,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens":2,"total_tokens":19}}
)"},
    {"section_2_3_logprobs_stand_where_the_route_has_them", "/api/generate",
     R"({"model":"llama3.2:3b","prompt":"x","raw":true,"stream":false,"logprobs":true,"options":{"num_predict":1}})",
     R"({"model":"llama3.2:3b","created_at":"*","response":"Tholer","done":true,"done_reason":"length","total_duration":*,"load_duration":*,"prompt_eval_count":1,"prompt_eval_cached_count":0,"prompt_eval_duration":*,"eval_count":1,"logprobs":[{"token":"Tholer","logprob":-0.627,"bytes":[84,104,111,108,101,114]}]})"},
    {"section_2_9_completions_stream", "/v1/completions",
     R"({"model":"llama3.2:3b","prompt":"Hi","max_tokens":1,"stream":true,"stream_options":{"include_usage":true}})",
     R"(data: {"id":"cmpl-*","object":"text_completion","created":*,"choices":[{"text":"Lako","index":0,"finish_reason":null}],"model":"llama3.2:3b","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}

data: {"id":"cmpl-*","object":"text_completion","created":*,"choices":[{"text":"","index":0,"finish_reason":"length"}],"model":"llama3.2:3b","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}

data: {"id":"cmpl-*","object":"text_completion","created":*,"choices":[],"model":"llama3.2:3b","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":17,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens":1,"total_tokens":18}}

data: [DONE]

)"},
    {"section_2_6_embed", "/api/embed", R"({"model":"nomic-embed-text","input":"sky","dimensions":3})",
     R"({"model":"nomic-embed-text","embeddings":[[-0.3789078,-0.64996237,-0.6587699]],"total_duration":*,"load_duration":*,"prompt_eval_count":1})"},
    {"section_2_6_embed_nothing_is_a_load", "/api/embed", R"({"model":"nomic-embed-text"})",
     R"({"model":"nomic-embed-text","embeddings":[]})"},
    {"section_2_9_embeddings_in_base64", "/v1/embeddings",
     R"({"model":"nomic-embed-text","input":["sky"],"dimensions":3,"encoding_format":"base64"})",
     R"({"object":"list","data":[{"object":"embedding","embedding":"NADCvu9jJr8lpSi/","index":0}],"model":"nomic-embed-text","usage":{"prompt_tokens":1,"total_tokens":1}}
)"},
    {"section_3_1_openai_errors_end_with_a_newline", "/v1/chat/completions",
     R"({"model":"nobody","messages":[{"role":"user","content":"x"}]})",
     R"({"error":{"message":"model 'nobody' not found","type":"not_found_error","param":null,"code":null}}
)"},
    {"section_3_1_but_not_those_of_validation", "/v1/chat/completions", "{}",
     R"({"error":{"message":"[] is too short - 'messages'","type":"invalid_request_error","param":null,"code":null}})"},
};

TEST(Server, sections_2_and_3_answers_have_the_shape_of_a_node) {
  const std::string ask = std::string(R"(,"messages":[{"role":"user","content":"The weather?"}],"think":false,)") +
                          std::string(kTool) + '}';
  for (const ShapeCase& each : kShapes) {
    World world;
    std::string body(each.body);
    std::string expected(each.expected);
    const bool last = body == "$last_line";
    if (last || body == "$own_line") {
      const std::string_view model = last ? "llama3.2:3b" : "qwen3:8b";
      body = fmt::format(R"({{"model":"{}"{})", model, ask);
      const std::string start =
          fmt::format(R"({{"model":"{}","created_at":"*","message":{{"role":"assistant","content":"")", model);
      const std::string call =
          R"(,"tool_calls":[{"id":"*","function":{"index":0,"name":"get_weather","arguments":{"city":"*"}}}]})";
      expected = last ? start + call + R"(,"done":true,"done_reason":"stop",)"
                      : start + call + ",\"done\":false}\n" + start + R"(},"done":true,"done_reason":"stop",)";
    }
    const Got got = world.ask(post(each.path, body));
    const bool chunked = got.head().find("chunked") != std::string::npos;
    std::string text = without_figures(chunked ? got.unchunked() : got.body());
    if (expected.size() < text.size() && expected.ends_with(',')) text.resize(expected.size());
    EXPECT_EQ(text, expected) << each.name;
    EXPECT_TRUE(got.ended) << each.name;
  }
}

struct HeadCase {
  std::string_view name;
  std::string request;
  std::string_view expected;
};

TEST(Server, section_6_3_heads_are_written_in_gos_order) {
  const HeadCase cases[] = {
      {"a_stream", post("/api/chat", chat(1), ""),
       "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nDate: *\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"events", post("/v1/completions", R"({"model":"llama3.2:3b","prompt":"x","max_tokens":1,"stream":true})", ""),
       "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nDate: *\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"a_short_body", get("/", ""),
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: *\r\nContent-Length: 17\r\n\r\n"},
      {"a_long_body_goes_in_chunks", get("/api/tags", ""),
       "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nDate: *\r\nTransfer-Encoding: "
       "chunked\r\n\r\n"},
      {"an_openai_body", get("/v1/models/qwen3:8b", ""),
       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: *\r\nContent-Length: 77\r\n\r\n"},
      {"an_unknown_path", get("/healthz", ""),
       "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nDate: *\r\nContent-Length: 18\r\n\r\n"},
      {"a_wrong_method", get("/api/chat", ""),
       "HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Type: text/plain\r\nDate: *\r\nContent-Length: "
       "22\r\n\r\n"},
      {"a_slash_too_many", post("/api/chat/", "", ""),
       "HTTP/1.1 307 Temporary Redirect\r\nLocation: /api/chat\r\nDate: *\r\nContent-Length: 0\r\n\r\n"},
      {"a_foreign_host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
       "HTTP/1.1 403 Forbidden\r\nDate: *\r\nContent-Length: 0\r\n\r\n"},
      {"a_foreign_origin", get("/", "Origin: https://evil.example\r\n"),
       "HTTP/1.1 403 Forbidden\r\nDate: *\r\nContent-Length: 0\r\n\r\n"},
      {"a_local_origin", get("/", "Origin: http://localhost:3000\r\n"),
       "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: http://localhost:3000\r\nContent-Type: text/plain; "
       "charset=utf-8\r\nVary: Origin\r\nDate: *\r\nContent-Length: 17\r\n\r\n"},
  };
  for (const HeadCase& each : cases) {
    World world;
    EXPECT_EQ(without_figures(world.ask(each.request, 1min).head()), each.expected) << each.name;
  }
}

TEST(Server, section_6_3_head_has_no_body_and_http_1_0_no_chunks) {
  World world;
  const Got head = world.ask("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_NE(head.head().find("Content-Length: 17"), std::string::npos);
  EXPECT_EQ(head.body(), "");
  const std::string body = chat(3);
  const Got old = world.ask(
      fmt::format("POST /api/chat HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
  EXPECT_EQ(old.bytes.find("chunked"), std::string::npos);
  EXPECT_EQ(count(old.body(), "\n"), 4U);
  EXPECT_TRUE(old.ended);
}

TEST(Server, section_4_1_the_head_comes_with_the_first_token_and_each_line_when_its_token_is_there) {
  World world;
  const auto got = world.send(post("/api/chat", chat(100)));
  const Mono start = world.loop.now();
  ASSERT_TRUE(world.run());
  EXPECT_GT(got->first - start, 800ms) << "a load comes first";
  EXPECT_GT(got->last - got->first, 200ms);
  EXPECT_LT(got->last - got->first, 400ms);
}

TEST(Server, answers_are_the_same_however_the_network_cuts_them) {
  std::string expected;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    net::SimNetworkSettings network;
    if (seed > 1) network = {.jitter = 1ms, .window = 700, .max_read = 9, .max_write = 40};
    World world(fleet_of(1).nodes[0], network, seed);
    bool whole = false;
    const std::string text = world.ask(post("/api/chat", chat(20))).unchunked(&whole);
    EXPECT_TRUE(whole);
    if (seed == 1) expected = without_figures(text);
    EXPECT_EQ(without_figures(text), expected) << "seed " << seed;
  }
}

TEST(Server, serves_requests_one_after_another_on_a_connection) {
  World world;
  const Got got = world.ask(get("/api/version", "") + post("/api/chat", chat(1), "") + get("/api/version"));
  EXPECT_EQ(count(got.bytes, "HTTP/1.1 200 OK"), 3U);
  EXPECT_EQ(count(got.bytes, R"({"version":"0.34.4"})"), 2U);
  EXPECT_TRUE(got.ended);
}

TEST(Server, section_6_3_takes_zstd_on_openai_routes_only) {
  World world;
  const std::string body = R"({"model":"llama3.2:3b","prompt":"x","max_tokens":1})";
  std::string packed(ZSTD_compressBound(body.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), body.data(), body.size(), 3));
  const std::string_view fields = "Connection: close\r\nContent-Encoding: zstd\r\n";
  EXPECT_TRUE(world.ask(post("/v1/completions", packed, fields)).bytes.starts_with("HTTP/1.1 200"));
  const Got bad = world.ask(post("/v1/completions", "no zstd", fields));
  EXPECT_TRUE(bad.bytes.starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(bad.body().starts_with(R"({"error":")")) << "in the native shape: " << bad.body();
  EXPECT_TRUE(world.ask(post("/api/generate", packed, fields)).bytes.starts_with("HTTP/1.1 400"));
}

TEST(Server, section_4_6_who_leaves_frees_the_slot_and_is_counted) {
  NodeSettings settings = fleet_of(1).nodes[0];
  settings.slots = 1;
  World world(settings);
  world.warm();
  world.send(post("/api/chat", chat(80'000)), 1s);
  const auto next = world.send(post("/api/chat", chat(1)));
  ASSERT_TRUE(world.run());
  EXPECT_TRUE(next->bytes.starts_with("HTTP/1.1 200"));
  EXPECT_EQ(world.server->counts().aborted, 1U);
  EXPECT_NEAR(seconds(world.server->counts().aborted_ages.at(0)), 1, 0.1);
  EXPECT_EQ(world.server->counts().in_flight, 0U);
}

TEST(Server, who_leaves_is_counted_as_aborted_also_when_a_write_meets_the_reset_before_the_poller_does) {
  World world(fleet_of(1).nodes[0], {.notice = 1s});
  world.warm();
  const std::uint64_t before = world.server->counts().completed;
  world.send(post("/api/chat", chat(2'000)), 5s);
  ASSERT_TRUE(world.run());
  world.world.run_for(30s);
  EXPECT_EQ(world.server->counts().aborted, 1U);
  EXPECT_EQ(world.server->counts().completed, before);
}

TEST(Server, section_4_6_who_leaves_in_the_first_millisecond_leaks_its_connection) {
  World world;
  world.warm();
  world.send(post("/api/chat", chat(10)), 400us);
  world.run();
  world.world.run_for(1s);
  EXPECT_EQ(world.server->state()["leaked"], 1);
  world.send(post("/api/chat", chat(1'000)), 20ms);
  world.run();
  world.world.run_for(1s);
  EXPECT_EQ(world.server->state()["leaked"], 1);
}

TEST(Server, section_6_3_a_half_close_is_taken_for_leaving) {
  World world;
  world.warm();
  const auto at_once = world.send(post("/api/chat", chat(50), ""), 0s, Leave::half_close);
  ASSERT_TRUE(world.run());
  EXPECT_EQ(at_once->bytes, "") << "no answer, ever";
  EXPECT_FALSE(at_once->ended);
  const auto in_prompt =
      world.send(post("/api/chat",
                      fmt::format(R"({{"model":"llama3.2:3b","messages":[{{"role":"user","content":"{}"}}]}})",
                                  Babble(1).text(5'000)),
                      ""),
                 20ms, Leave::half_close);
  ASSERT_TRUE(world.run());
  EXPECT_TRUE(in_prompt->bytes.starts_with("HTTP/1.1 500")) << in_prompt->bytes;
  EXPECT_NE(in_prompt->bytes.find("error reading llama-server response: context canceled"), std::string::npos);
  const auto in_stream = world.send(post("/api/chat", chat(1'000), ""), 100ms, Leave::half_close);
  ASSERT_TRUE(world.run());
  EXPECT_TRUE(
      in_stream->unchunked().ends_with("{\"error\":\"error reading llama-server response: context canceled\"}\n"));
}

TEST(Server, section_6_3_a_chunked_upload_that_never_ends_leaks_its_slot) {
  NodeSettings settings = fleet_of(1).nodes[0];
  settings.slots = 1;
  World world(settings);
  world.warm();
  const std::string body = chat(5);
  world.send(
      fmt::format("POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n",
                  body.size(), body),
      100ms);
  world.run();
  world.world.run_for(1s);
  const auto stuck = world.send(post("/api/chat", chat(1)), 10min);
  world.run();
  EXPECT_EQ(stuck->bytes, "");
  world.ask(post("/api/generate", R"({"model":"llama3.2:3b","keep_alive":0})"));
  world.world.run_for(1s);
  EXPECT_TRUE(world.ask(post("/api/chat", chat(1))).bytes.starts_with("HTTP/1.1 200")) << "cured by unload and load";
}

TEST(Server, section_6_3_a_node_that_ends_cuts_its_streams_without_the_last_chunk) {
  World world;
  const auto got = world.send(post("/api/chat", chat(80'000)));
  world.world.run_for(3s);
  world.stop();
  ASSERT_TRUE(world.run());
  bool whole = true;
  EXPECT_FALSE(got->unchunked(&whole).empty());
  EXPECT_FALSE(whole);
  EXPECT_TRUE(got->ended);
}

TEST(Server, section_4_8_ps_lists_what_is_loaded_and_waits_while_a_runner_is_torn_down) {
  World world;
  EXPECT_EQ(world.ask(get("/api/ps")).body(), R"({"models":[]})");
  world.warm();
  const Got listed = world.ask(get("/api/ps"));
  EXPECT_NE(listed.body().find(R"("name":"llama3.2:3b")"), std::string::npos);
  world.ask(post("/api/generate", R"({"model":"llama3.2:3b","keep_alive":0})"));
  const Mono start = world.loop.now();
  EXPECT_EQ(world.ask(get("/api/ps")).body(), R"({"models":[]})");
  EXPECT_GT(world.loop.now() - start, 300ms);
}

TEST(Server, answers_for_an_agent_beside_it_from_its_slots_and_memory) {
  World world;
  const auto gpu = [&] { return parse_json(world.ask(get("/v1/node")).body()).value()["gpus"][0]; };
  const Json idle = gpu();
  EXPECT_EQ(number_at(idle, "busy", -1), 0);
  EXPECT_EQ(integer_at(idle, "memory_free"), integer_at(idle, "memory_total"));
  world.warm();
  EXPECT_LT(integer_at(gpu(), "memory_free"), integer_at(idle, "memory_free"));
  const auto client =
      world.send(post("/api/generate", R"({"model":"llama3.2:3b","prompt":"x","options":{"num_predict":5000}})"));
  world.world.run_for(1s);
  EXPECT_EQ(number_at(gpu(), "busy"), 0.25) << "one slot of four";
}

TEST(Server, section_2_13_show_names_the_weights_and_refuses_in_its_words) {
  World world;
  const std::string body = world.ask(post("/api/show", R"({"name":"QWEN3:8b"})")).body();
  const auto shown = parse_json(body);
  ASSERT_TRUE(shown) << body;
  EXPECT_NE(text_at(*shown, "modelfile")
                .find("FROM /var/lib/ollama/models/blobs/sha256-" + known_model("qwen3:8b")->spec.weights),
            std::string::npos);
  EXPECT_FALSE(shown->contains("tensors")) << "only with verbose";
  EXPECT_EQ(world.ask(post("/api/show", R"({"model":"nobody"})")).body(),
            R"({"error":"model 'nobody:latest' not found"})");
  EXPECT_EQ(world.ask(post("/api/show", "{}")).body(), R"({"error":"model is required"})");
}

// What the client of a chat of 20 tokens, streamed and not, sees of each fault.
struct FaultCase {
  std::string_view name;
  std::string_view fault;
  std::string_view streamed;  // how many lines, and how it ended
  std::string_view whole;     // status or bytes of body, and how it ended
};

constexpr FaultCase kFaultCases[] = {
    {"row_17_reset_after_tokens", R"({"fault":"reset","after_tokens":5})", "5 broke", "none broke"},
    {"reset_before_the_head", R"({"fault":"reset"})", "none broke", "none broke"},
    {"row_18_and_19_fin_in_the_body", R"({"fault":"cut","after_tokens":5})", "5 cut", "200 cut"},
    {"cut_before_the_head", R"({"fault":"cut"})", "none cut", "none cut"},
    {"row_20_stall", R"({"fault":"stall","after_tokens":5})", "5 silent", "200 silent"},
    {"stall_before_the_head", R"({"fault":"stall"})", "none silent", "none silent"},
    {"hang", R"({"fault":"hang","after_tokens":5})", "none silent", "none silent"},
    {"row_22_garbage_chunk", R"({"fault":"garbage","after_tokens":5})", "5 cut", "none cut"},
    {"row_31_garbage_head", R"({"fault":"garbage"})", "none cut", "none cut"},
    {"row_36_silent_end", R"({"fault":"silent_end","after_tokens":5})", "5 whole", "200 whole"},
    {"row_36_error_line", R"({"fault":"error","after_tokens":5,"text":"x"})", "6 whole", "500 whole"},
    {"error", R"({"fault":"error"})", "500 whole", "500 whole"},
    {"busy", R"({"fault":"busy"})", "503 whole", "503 whole"},
    {"out_of_memory", R"({"fault":"out_of_memory"})", "500 whole", "500 whole"},
    {"crash", R"({"fault":"crash","after_tokens":5})", "6 whole", "500 whole"},
    {"later_than_the_end", R"({"fault":"cut","after_tokens":500})", "20 cut", "200 cut"},
    {"another_path", R"({"fault":"cut","path":"/api/generate"})", "21 whole", "200 whole"},
};

std::string seen(const Got& got) {
  const bool chunked = got.head().find("chunked") != std::string::npos;
  bool ended_well = false;
  std::string what = "none";
  if (got.bytes.starts_with("HTTP/1.1 200") && chunked) {
    what = fmt::format("{}", count(got.unchunked(&ended_well), "\n"));
  } else if (got.bytes.starts_with("HTTP/1.1")) {
    what = got.bytes.substr(9, 3);
    const auto at = got.bytes.find("Content-Length: ");
    if (at != std::string::npos) ended_well = std::stoul(got.bytes.substr(at + 16)) == got.body().size();
  }
  if (got.broke) return what + " broke";
  if (ended_well) return what + " whole";
  return what + (got.ended ? " cut" : " silent");
}

TEST(Server, faults_look_as_their_rows_say) {
  for (const FaultCase& each : kFaultCases) {
    World world;
    world.warm();
    for (const bool stream : {true, false}) {
      world.arm(each.fault);
      EXPECT_EQ(seen(world.ask(post("/api/chat", chat(20, stream)), 1min)), stream ? each.streamed : each.whole)
          << each.name << (stream ? ", streamed" : ", whole");
      world.world.run_for(1s);
      EXPECT_EQ(world.server->counts().in_flight, 0U) << each.name;
    }
  }
}

TEST(Server, a_fault_does_not_stop_a_runner_from_refusing) {
  World world;
  world.arm(R"({"fault":"cut","after_tokens":5})");
  EXPECT_EQ(seen(world.ask(post("/api/embed", R"({"model":"llama3.2:3b","input":"x"})"))), "501 whole");
}

TEST(Server, a_fault_hits_as_many_requests_as_it_was_armed_for) {
  World world;
  world.warm();
  world.arm(R"({"fault":"busy","count":2})");
  for (const std::string_view status : {"503", "503", "200"}) {
    EXPECT_EQ(world.ask(post("/api/chat", chat(1))).bytes.substr(9, 3), status);
  }
  world.arm(R"({"fault":"busy","count":0})");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(world.ask(post("/api/chat", chat(1))).bytes.substr(9, 3), "503");
  world.ask("DELETE /sim/faults HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(world.ask(post("/api/chat", chat(1))).bytes.substr(9, 3), "200");
}

TEST(Server, refuse_breaks_connections_for_a_while) {
  World world;
  world.arm(R"({"fault":"refuse","seconds":5})");
  EXPECT_TRUE(world.ask(get("/api/version")).broke);
  world.world.run_for(5s);
  EXPECT_TRUE(world.ask(get("/api/version")).bytes.starts_with("HTTP/1.1 200"));
}

TEST(Server, row_21_drip_sends_a_byte_at_a_time) {
  World world;
  world.warm();
  world.arm(R"({"fault":"drip","after_tokens":1,"seconds":0.1})");
  const auto got = world.send(post("/api/chat", chat(2)));
  const Mono start = world.loop.now();
  ASSERT_TRUE(world.run());
  bool whole = false;
  EXPECT_EQ(count(got->unchunked(&whole), "\n"), 3U);
  EXPECT_TRUE(whole);
  EXPECT_GT(got->last - start, 30s);
}

TEST(Server, a_slow_load_is_as_much_slower_as_was_asked) {
  World world;
  world.arm(R"({"fault":"slow_load","seconds":60})");
  const auto got = world.send(post("/api/chat", chat(1)));
  const Mono start = world.loop.now();
  ASSERT_TRUE(world.run());
  EXPECT_GT(got->first - start, 60s);
  EXPECT_LT(got->first - start, 62s);
}

TEST(Server, a_fault_that_does_not_exist_is_refused_with_those_that_do) {
  World world;
  const Got got = world.ask(post("/sim/faults", R"({"fault":"meteor"})"));
  EXPECT_TRUE(got.bytes.starts_with("HTTP/1.1 400"));
  EXPECT_NE(got.body().find("there is no fault 'meteor'; use one of refuse, reset, stall"), std::string::npos);
}

TEST(Fleet, nodes_of_one_seed_give_equal_answers_and_replay_exactly) {
  const auto run_once = [] {
    World world;
    std::string all;
    for (int i = 0; i < 5; ++i) all += world.ask(post("/api/chat", chat(10))).bytes;
    return all;
  };
  EXPECT_EQ(run_once(), run_once());
  World fast;
  World small(fleet_of(3).nodes[2]);
  EXPECT_EQ(without_figures(fast.ask(post("/api/chat", chat(10))).unchunked()),
            without_figures(small.ask(post("/api/chat", chat(10))).unchunked()));
}

// The same flows on real sockets.
net::Task<> ask_all(net::LinuxLoop& loop, net::LinuxNetwork& network, Fleet& fleet, std::vector<std::string>& answers) {
  for (const auto& node : fleet.nodes()) {
    auto dialled = co_await network.dial(node->endpoint(), kNever);
    if (!dialled) break;
    const std::string request = post("/api/chat", chat(20));
    static_cast<void>((*dialled)->write(request));
    std::string text;
    while (true) {
      const auto read = co_await (*dialled)->read_some(loop.now() + 10s);
      if (!read || read->empty()) break;
      text += *read;
    }
    answers.push_back(text);
  }
  co_await fleet.stop();
  loop.stop();
}

TEST(Fleet, serves_on_real_sockets) {
  const SystemClock clock;
  net::LinuxLoop loop(clock);
  net::LinuxNetwork network(loop);
  Settings settings = default_fleet();
  for (NodeSettings& node : settings.nodes) node.speedup = 100;
  auto fleet = Fleet::make(network, settings, *net::parse_ip("127.0.0.1", 0));
  ASSERT_TRUE(fleet);
  (*fleet)->start();
  std::vector<std::string> answers;
  {
    net::TaskGroup group(loop);
    group.spawn(ask_all(loop, network, **fleet, answers));
    loop.run();
  }
  ASSERT_EQ(answers.size(), 3U);
  for (const std::string& answer : answers) {
    EXPECT_TRUE(answer.ends_with("0\r\n\r\n")) << answer;
    EXPECT_NE(answer.find(R"("done":true)"), std::string::npos);
  }
}

}  // namespace
}  // namespace drover::sim
