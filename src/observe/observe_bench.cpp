// What watching costs: the counters of one request, and its line in the log.
#include <benchmark/benchmark.h>

#include <string>

#include "base/allocations.h"
#include "observe/access_log.h"
#include "observe/line_writer.h"
#include "observe/metrics.h"

namespace drover::observe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

void BM_CounterAdd(benchmark::State& state) {
  Counter counter;
  Counter* seen_by_others = &counter;
  benchmark::DoNotOptimize(seen_by_others);
  for (auto _ : state) {
    counter.add();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_CounterAdd);

// One of the first buckets, one of the last, and beyond all.
void BM_HistogramObserve(benchmark::State& state) {
  Metrics metrics(1);
  Histogram& histogram = metrics.shard(0).model("qwen3:8b").duration;
  const Duration duration = milliseconds(state.range(0));
  for (auto _ : state) {
    histogram.observe(duration);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_HistogramObserve)->ArgName("ms")->Arg(1)->Arg(2'000)->Arg(10'000'000);

// All that is counted for a request that streamed an answer, its series looked up among those of a fleet.
void BM_CountRequest(benchmark::State& state) {
  Metrics metrics(1);
  MetricShard& shard = metrics.shard(0);
  for (int i = 0; i < 20; ++i) shard.model("library/model-" + std::to_string(i) + ":latest");
  for (int i = 0; i < 8; ++i) shard.node("gpu-" + std::to_string(i));
  const std::string model_name = "library/model-7:latest";
  const std::string node_name = "gpu-2";
  AllocationCounter allocations(state);
  for (auto _ : state) {
    shard.request_began();
    ModelSeries& model = shard.model(model_name);
    NodeSeries& node = shard.node(node_name);
    shard.request_ended(model, node, api::Dialect::ollama, 200, Outcome::ok);
    model.duration.observe(milliseconds(2'100));
    model.queue_wait.observe(Duration{0});
    model.first_token.observe(milliseconds(180));
    model.output_token.observe(milliseconds(7));
    model.prompt_tokens.add(26);
    model.cached_tokens.add(0);
    model.completion_tokens.add(290);
    shard.node(node_name).attempts[static_cast<std::size_t>(AttemptOutcome::ok)].add();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_CountRequest);

AccessRecord streamed_answer() {
  AccessRecord record;
  record.request_id = "7f3a9c0d51e24b86";
  record.time = Wall{} + std::chrono::seconds(1'795'248'000) + microseconds(123'456);
  record.client = "10.0.0.17";
  record.method = "POST";
  record.route = "/api/chat";
  record.dialect = api::Dialect::ollama;
  record.model = "qwen3:8b";
  record.node = "gpu-2";
  record.status = 200;
  record.picked = "least_connections";
  record.attempts = 1;
  record.stream = true;
  record.total = microseconds(2'155'817);
  record.queue = Duration{0};
  record.load = microseconds(64'128);
  record.prefill = microseconds(12'345);
  record.decode = microseconds(2'076'543);
  record.overhead = microseconds(312);
  record.first_byte = microseconds(77'105);
  record.received = Bytes{212};
  record.sent = Bytes{36'410};
  record.prompt_tokens = 26;
  record.completion_tokens = 290;
  return record;
}

void BM_AppendAccessLine(benchmark::State& state) {
  const AccessRecord record = streamed_answer();
  std::string line;
  line.reserve(2048);
  AllocationCounter allocations(state);
  for (auto _ : state) {
    line.clear();
    append_access_line(line, record);
    benchmark::DoNotOptimize(line.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
BENCHMARK(BM_AppendAccessLine);

// The worker's part of bringing a line to the log's thread. The thread gets the time to write between batches, so that
// nothing is dropped.
void BM_WriteLine(benchmark::State& state) {
  constexpr std::uint64_t kBatch = 5'000;
  std::string line;
  append_access_line(line, streamed_answer());
  auto writer = LineWriter::to_file("/dev/null", {});
  if (!writer) return state.SkipWithError("cannot open /dev/null");
  std::uint64_t written = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize((*writer)->write(line));
    if (++written % kBatch == 0) {
      state.PauseTiming();
      (*writer)->flush(std::chrono::seconds(1));
      state.ResumeTiming();
    }
  }
  state.counters["dropped"] = static_cast<double>((*writer)->dropped());
}
BENCHMARK(BM_WriteLine);

}  // namespace
}  // namespace drover::observe
