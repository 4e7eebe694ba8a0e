// What HTTP costs a request and a chunk, on heads as real clients and nodes send them.
#include <benchmark/benchmark.h>

#include <string>

#include "base/allocations.h"
#include "http/chunked.h"
#include "http/head_writer.h"
#include "http/lines.h"
#include "http/request_head.h"
#include "http/response_head.h"

namespace drover::http {
namespace {

// As openai-python 2 sends it: 17 fields.
constexpr std::string_view kRequest =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: 127.0.0.1:11435\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 2.8.1\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 2.8.1\r\n"
    "X-Stainless-OS: Linux\r\n"
    "X-Stainless-Arch: x64\r\n"
    "X-Stainless-Runtime: CPython\r\n"
    "X-Stainless-Runtime-Version: 3.11.2\r\n"
    "Authorization: Bearer unused\r\n"
    "X-Stainless-Async: false\r\n"
    "x-stainless-retry-count: 0\r\n"
    "x-stainless-read-timeout: 600\r\n"
    "Content-Length: 112\r\n"
    "\r\n";

// As the ollama CLI sends it.
constexpr std::string_view kCliRequest =
    "POST /api/chat HTTP/1.1\r\n"
    "Host: 127.0.0.1:11435\r\n"
    "User-Agent: ollama/0.12.6 (amd64 linux) Go/go1.24.1\r\n"
    "Content-Length: 212\r\n"
    "Accept: application/x-ndjson\r\n"
    "Content-Type: application/json\r\n"
    "Accept-Encoding: gzip\r\n"
    "\r\n";

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/x-ndjson\r\n"
    "Date: Sat, 21 Nov 2026 08:00:00 GMT\r\n"
    "Transfer-Encoding: chunked\r\n"
    "\r\n";

// One token as Ollama streams it, on its own routes and on OpenAI's.
constexpr std::string_view kLine =
    R"({"model":"gemma3:270m","created_at":"2026-11-21T08:00:00.123456789Z","message":{"role":"assistant","content":" the"},"done":false})"
    "\n";
constexpr std::string_view kEvent =
    R"(data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1795248000,"model":"gemma3:270m",)"
    R"("system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":" the"},"finish_reason":null}]})"
    "\n\n";

// In a chunk of its own.
std::string one_chunk() {
  char prefix[kChunkPrefixMax];
  return std::string(prefix, write_chunk_prefix(kLine.size(), prefix)) + std::string(kLine) + std::string(kChunkEnd);
}

std::string repeated(const std::string& text, std::int64_t times) {
  std::string result;
  for (; times > 0; --times) result += text;
  return result;
}

void BM_ParseRequestHead(benchmark::State& state, std::string_view bytes) {
  RequestHead head;
  AllocationCounter allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse(bytes, {}, head).consumed);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK_CAPTURE(BM_ParseRequestHead, openai, kRequest);
BENCHMARK_CAPTURE(BM_ParseRequestHead, ollama, kCliRequest);

void BM_ParseResponseHead(benchmark::State& state) {
  ResponseHead head;
  AllocationCounter allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse(kResponse, {}, Method::post, head).consumed);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kResponse.size()));
}
BENCHMARK(BM_ParseResponseHead);

void BM_AppendUpstreamRequest(benchmark::State& state) {
  RequestHead head;
  benchmark::DoNotOptimize(parse(kRequest, {}, head).consumed);
  const Field own[] = {{"x-request-id", "7f3a9c0d51e24b86"}, {"x-drover-hop", "1"}};
  std::string out;
  out.reserve(1024);
  AllocationCounter allocations(state);
  for (auto _ : state) {
    out.clear();
    append_upstream_request(out,
                            {.method = "POST",
                             .target = "/v1/chat/completions",
                             .host = "10.0.0.7:11434",
                             .framing = {.kind = BodyKind::length, .length = 112},
                             .own = own},
                            &head);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_AppendUpstreamRequest);

void BM_AppendRelayedResponse(benchmark::State& state) {
  ResponseHead head;
  benchmark::DoNotOptimize(parse(kResponse, {}, Method::post, head).consumed);
  const Field own[] = {{"x-request-id", "7f3a9c0d51e24b86"},
                       {"x-drover-node", "gpu-2"},
                       {"x-drover-queued-ms", "0"},
                       {"cache-control", "no-store"},
                       {"x-content-type-options", "nosniff"}};
  std::string out;
  out.reserve(1024);
  AllocationCounter allocations(state);
  for (auto _ : state) {
    out.clear();
    append_relayed_response(
        out, head, {.framing = {.kind = BodyKind::chunked}, .keep_alive = true, .client_minor = 1, .own = own});
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_AppendRelayedResponse);

// One read of `chunks` tokens: framing off, and where a write may end.
void BM_ChunkedDecode(benchmark::State& state) {
  const std::string bytes = repeated(one_chunk(), state.range(0));
  ChunkedDecoder decoder;
  WriteBoundary boundary(StreamShape::lines);
  AllocationCounter allocations(state);
  for (auto _ : state) {
    for (std::string_view rest = bytes; !rest.empty();) {
      const auto step = decoder.step(rest);
      benchmark::DoNotOptimize(boundary.release(step.payload));
      rest.remove_prefix(step.consumed);
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ChunkedDecode)->ArgName("chunks")->Arg(1)->Arg(16);

// The framing that a frame gets on its way to the client.
void BM_ChunkedEncode(benchmark::State& state) {
  std::uint64_t size = 125;
  char prefix[kChunkPrefixMax];
  for (auto _ : state) {
    benchmark::DoNotOptimize(size);
    benchmark::DoNotOptimize(write_chunk_prefix(size, prefix));
  }
}
BENCHMARK(BM_ChunkedEncode);

// Where may the write of a piece of one frame end?
void BM_WriteBoundary(benchmark::State& state, StreamShape shape, std::string_view frame) {
  WriteBoundary boundary(shape);
  AllocationCounter allocations(state);
  for (auto _ : state) benchmark::DoNotOptimize(boundary.release(frame));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(frame.size()));
}
BENCHMARK_CAPTURE(BM_WriteBoundary, line, StreamShape::lines, kLine);
BENCHMARK_CAPTURE(BM_WriteBoundary, event, StreamShape::events, kEvent);

void BM_ReadLines(benchmark::State& state) {
  const std::string bytes = repeated(std::string(kLine), 16);
  LineReader lines;
  AllocationCounter allocations(state);
  for (auto _ : state) {
    lines.feed(bytes);
    while (const auto line = lines.next()) benchmark::DoNotOptimize(line->data());
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(BM_ReadLines);

void BM_ReadEvents(benchmark::State& state) {
  const std::string bytes = repeated(std::string(kEvent), 16);
  EventReader events;
  AllocationCounter allocations(state);
  for (auto _ : state) {
    events.feed(bytes);
    while (const auto event = events.next()) benchmark::DoNotOptimize(event->data.data());
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(BM_ReadEvents);

}  // namespace
}  // namespace drover::http
