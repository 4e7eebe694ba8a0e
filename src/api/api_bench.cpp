// What understanding costs: a request's body, and a chunk of an answer.
#include <benchmark/benchmark.h>

#include <string>

#include "api/answer_tap.h"
#include "api/body_scanner.h"
#include "api/routes.h"

namespace drover::api {
namespace {

// A conversation of about `size` bytes: messages of some sentences, with the escapes that code and lists bring.
std::string chat_body(std::size_t size, std::string_view text) {
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

void scan(benchmark::State& state, std::string_view text) {
  const std::string body = chat_body(static_cast<std::size_t>(state.range(0)), text);
  for (auto _ : state) {
    BodyScanner scanner(Route::chat);
    scanner.feed(body);
    benchmark::DoNotOptimize(scanner.finish());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}

void BM_ScanChat(benchmark::State& state) { scan(state, kEnglish); }
BENCHMARK(BM_ScanChat)->Arg(1'000)->Arg(10'000)->Arg(64 << 10)->Arg(100'000);

void BM_ScanChatBeyondAscii(benchmark::State& state) { scan(state, kChinese); }
BENCHMARK(BM_ScanChatBeyondAscii)->Arg(64 << 10);

// In the pieces that sockets bring.
void BM_ScanChatInPieces(benchmark::State& state) {
  const std::string body = chat_body(64 << 10, kEnglish);
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    BodyScanner scanner(Route::chat);
    for (std::size_t at = 0; at < body.size(); at += size) scanner.feed(std::string_view(body).substr(at, size));
    benchmark::DoNotOptimize(scanner.finish());
  }
}
BENCHMARK(BM_ScanChatInPieces)->Arg(1460)->Arg(16 << 10);

void BM_ScanTokens(benchmark::State& state) {
  std::string body = R"({"model":"e","input":[1)";
  while (body.size() < 64 << 10) body += ",12345";
  body += "]}";
  for (auto _ : state) {
    BodyScanner scanner(Route::embed);
    scanner.feed(body);
    benchmark::DoNotOptimize(scanner.finish());
  }
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
  for (auto _ : state) {
    tap.feed(kLine.substr(0, 50));
    tap.feed(kLine.substr(50));
    benchmark::DoNotOptimize(tap.messages());
  }
}
BENCHMARK(BM_TapSplitLine);

void BM_MatchRoute(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(match(http::Method::post, "/v1/chat/completions"));
}
BENCHMARK(BM_MatchRoute);

}  // namespace
}  // namespace drover::api
