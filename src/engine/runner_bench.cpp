// How long a replay of requests takes whose single tokens nobody wants: conversations of prompts in pieces of 512
// tokens, answers of 200 tokens, four or sixteen slots near saturation.
#include <benchmark/benchmark.h>

#include "engine/card.h"
#include "engine/runner.h"

namespace drover::engine {
namespace {

constexpr std::uint64_t kRequests = 10'000;
constexpr std::uint64_t kTalks = 50;

void BM_Replay(benchmark::State& state) {
  const auto kind = state.range(1) == 0 ? EngineKind::llama_cpp : EngineKind::vllm;
  const auto slots = static_cast<std::uint32_t>(state.range(0));
  for (auto each : state) {
    Runner runner(card_named("fast")->costs,
                  {.kind = kind, .slots = slots, .context = 32'768, .blocks = 20'000, .every_token = false});
    std::vector<RunnerEvent> events;
    Mono now{};
    for (std::uint64_t id = 0; id < kRequests; ++id) {
      now += std::chrono::milliseconds(1'000 / slots);
      events.clear();
      runner.advance(now, events);
      Job job{.id = JobId{id}, .prompt = {}, .answer = 200};
      for (std::uint64_t piece = 0; piece < 1 + id / kTalks % 12; ++piece) {
        job.prompt.emplace_back((id % kTalks) * 1'000 + piece, 512U);
      }
      runner.submit(std::move(job), now);
    }
    runner.advance(kNever - std::chrono::hours(1), events);
    benchmark::DoNotOptimize(events);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kRequests) * state.iterations());
}
BENCHMARK(BM_Replay)->ArgNames({"slots", "vllm"})->ArgsProduct({{4, 16}, {0, 1}})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace drover::engine
