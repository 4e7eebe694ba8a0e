// What does it cost to take a request's body: kept, counted against the budget and understood, as it comes in pieces?
#include <benchmark/benchmark.h>

#include <string>

#include "base/allocations.h"
#include "gateway/prompt_body.h"

namespace drover::gateway {
namespace {

constexpr std::int64_t kBytesPerToken = 4;  // of English, by and large

// A conversation of about `tokens` tokens, as a client sends it: the model first.
std::string chat_body(std::int64_t tokens) {
  std::string body = R"({"model":"qwen3:8b","messages":[{"role":"system","content":"Be brief."})";
  const auto size = static_cast<std::size_t>(tokens * kBytesPerToken);
  for (bool user = true; body.size() < size; user = !user) {
    body += user ? R"(,{"role":"user","content":")" : R"(,{"role":"assistant","content":")";
    for (int i = 0; i < 4; ++i) {
      body +=
          R"(A load balancer sits between clients and servers.\n\n- It holds \"late\" requests, and binds each to a )"
          R"(node when a slot is free; so that no request waits behind a slow one while another node is idle. )";
    }
    body += R"("})";
  }
  return body + R"(],"stream":true,"options":{"temperature":0.7}})";
}

// Whole, or in pieces of 16 KiB: what is on its way on one connection.
void BM_TakeBody(benchmark::State& state) {
  const std::string body = chat_body(state.range(0));
  const std::size_t piece = state.range(1) == 0 ? body.size() : static_cast<std::size_t>(state.range(1));
  BufferBudget budget(1_GiB);
  BodyPool pool(4_MiB);
  AllocationCounter allocations(state);
  for (auto _ : state) {
    BufferLease lease(budget);
    PromptBody prompt(api::Route::chat, {}, lease, pool, api::Coding::identity, body.size());
    for (std::size_t at = 0; at < body.size(); at += piece) {
      benchmark::DoNotOptimize(prompt.take(std::string_view(body).substr(at, piece)));
    }
    benchmark::DoNotOptimize(prompt.finish());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(BM_TakeBody)
    ->ArgNames({"tokens", "piece"})
    ->Args({50, 0})
    ->Args({1'000, 0})
    ->Args({1'000, 16 << 10})
    ->Args({10'000, 0})
    ->Args({10'000, 16 << 10})
    ->Args({100'000, 0})
    ->Args({100'000, 16 << 10});

}  // namespace
}  // namespace drover::gateway
