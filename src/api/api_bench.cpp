// What understanding costs: a request's body, and a chunk of an answer.
#include <benchmark/benchmark.h>

#include <string>

#include "api/answer_tap.h"
#include "api/body_scanner.h"
#include "api/routes.h"
#include "base/allocations.h"

namespace drover::api {
namespace {

// English, by and large, is four bytes a token.
constexpr std::int64_t kBytesPerToken = 4;

// A conversation of about `tokens` tokens: messages of some sentences, with the escapes that code and lists bring.
std::string chat_body(std::int64_t tokens, std::string_view text) {
  const auto size = static_cast<std::size_t>(tokens * kBytesPerToken);
  std::string body = R"({"model":"qwen3:8b","stream":true,"messages":[{"role":"system","content":"Be brief."})";
  for (bool user = true; body.size() < size; user = !user) {
    body += user ? R"(,{"role":"user","content":")" : R"(,{"role":"assistant","content":")";
    for (int i = 0; i < 4; ++i) body += text;
    body += R"("})";
  }
  return body + R"(],"options":{"temperature":0.7,"num_ctx":8192},"keep_alive":"5m"})";
}

constexpr std::string_view kEnglish =
    R"(A load balancer sits between clients and servers.\n\n- It holds \"late\" requests, and binds each to a node when )"
    R"(a slot is free; so that no request waits behind a slow one while another node is idle. )";
constexpr std::string_view kChinese = "负载均衡器位于客户端和服务器之间，它把请求分发到空闲的节点。\\n";

void scan(benchmark::State& state, const std::string& body, std::size_t piece) {
  AllocationCounter allocations(state);
  for (auto _ : state) {
    BodyScanner scanner(Route::chat);
    for (std::size_t at = 0; at < body.size(); at += piece) scanner.feed(std::string_view(body).substr(at, piece));
    benchmark::DoNotOptimize(scanner.finish());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}

void BM_ScanChat(benchmark::State& state) {
  const std::string body = chat_body(state.range(0), kEnglish);
  scan(state, body, body.size());
}
BENCHMARK(BM_ScanChat)->ArgName("tokens")->Arg(50)->Arg(1'000)->Arg(10'000)->Arg(100'000);

void BM_ScanChatBeyondAscii(benchmark::State& state) {
  const std::string body = chat_body(state.range(0), kChinese);
  scan(state, body, body.size());
}
BENCHMARK(BM_ScanChatBeyondAscii)->ArgName("tokens")->Arg(10'000);

// In the pieces that sockets bring: of a local network's segments, and of a full read.
void BM_ScanChatInPieces(benchmark::State& state) {
  scan(state, chat_body(state.range(0), kEnglish), static_cast<std::size_t>(state.range(1)));
}
BENCHMARK(BM_ScanChatInPieces)
    ->ArgNames({"tokens", "piece"})
    ->Args({10'000, 1460})
    ->Args({1'000, 16 << 10})
    ->Args({10'000, 16 << 10})
    ->Args({100'000, 16 << 10});

void BM_ScanTokens(benchmark::State& state) {
  std::string body = R"({"model":"e","input":[1)";
  while (body.size() < 64 << 10) body += ",12345";
  body += "]}";
  for (auto _ : state) {
    BodyScanner scanner(Route::embed);
    scanner.feed(body);
    benchmark::DoNotOptimize(scanner.finish());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(BM_ScanTokens);

constexpr std::string_view kLine =
    R"({"model":"qwen3:8b","created_at":"2026-08-22T10:00:00.123456789Z","message":{"role":"assistant","content":" tok"},)"
    R"("done":false})"
    "\n";
constexpr std::string_view kEvent =
    R"(data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1787392800,"model":"qwen3:8b",)"
    R"("system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"content":" tok"},"finish_reason":null}]})"
    "\n\n";

void tap(benchmark::State& state, Route route, Framing framing, std::string_view chunk) {
  AnswerTap tap(route, framing);
  AllocationCounter allocations(state);
  for (auto _ : state) {
    tap.feed(chunk);
    benchmark::DoNotOptimize(tap.messages());
  }
}
void BM_TapLine(benchmark::State& state) { tap(state, Route::chat, Framing::ndjson, kLine); }
BENCHMARK(BM_TapLine);
void BM_TapEvent(benchmark::State& state) { tap(state, Route::chat_completions, Framing::sse, kEvent); }
BENCHMARK(BM_TapEvent);

// A line that came in two reads, and so is read as JSON.
void BM_TapSplitLine(benchmark::State& state) {
  AnswerTap tap(Route::chat, Framing::ndjson);
  AllocationCounter allocations(state);
  for (auto _ : state) {
    tap.feed(kLine.substr(0, 50));
    tap.feed(kLine.substr(50));
    benchmark::DoNotOptimize(tap.messages());
  }
}
BENCHMARK(BM_TapSplitLine);

// A whole answer in one object, as one asks for without `stream`; and the last line of a stream. Both are read as JSON.
constexpr std::string_view kObject =
    R"({"model":"qwen3:8b","created_at":"2026-08-22T10:00:00.123456789Z","message":{"role":"assistant","content":)"
    R"("A slot is a place in a node's batch: one request that runs at a time. A request waits until one is free."},)"
    R"("done":true,"done_reason":"stop","total_duration":2155817911,"load_duration":64128327,"prompt_eval_count":26,)"
    R"("prompt_eval_duration":12345678,"eval_count":290,"eval_duration":2076543210})";

void BM_TapWholeAnswer(benchmark::State& state) {
  AllocationCounter allocations(state);
  for (auto _ : state) {
    AnswerTap tap(Route::chat, Framing::single);
    tap.feed(kObject);
    benchmark::DoNotOptimize(tap.verdict());
  }
}
BENCHMARK(BM_TapWholeAnswer);

void BM_TapLastLine(benchmark::State& state) {
  const std::string line = std::string(kObject) + "\n";
  AllocationCounter allocations(state);
  for (auto _ : state) {
    AnswerTap tap(Route::chat, Framing::ndjson);
    tap.feed(line);
    benchmark::DoNotOptimize(tap.verdict());
  }
}
BENCHMARK(BM_TapLastLine);

void BM_MatchRoute(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(match(http::Method::post, "/v1/chat/completions"));
}
BENCHMARK(BM_MatchRoute);

}  // namespace
}  // namespace drover::api
