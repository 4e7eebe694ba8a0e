// What does a decision cost? One submit and one finished, which is what every request costs under the gateway's lock.
// And how long do the other calls hold that lock? No call should hold it much longer than a decision does.
#include <benchmark/benchmark.h>

#include "balance/scheduler.h"
#include "base/allocations.h"
#include "base/random.h"

namespace drover::balance {
namespace {

constexpr unsigned kSlots = 4;

std::vector<ModelOnNode> twenty_models() {
  std::vector<ModelOnNode> models;
  for (std::uint64_t i = 0; i < 20; ++i) {
    models.push_back({.model = "library/model-" + std::to_string(i) + ":latest", .runner = {i}, .resident = true});
  }
  return models;
}

// `nodes` nodes with four slots each, that all hold the same twenty models.
void build(Scheduler& scheduler, std::uint64_t nodes, Mono now) {
  Actions actions;
  const std::vector<ModelOnNode> models = twenty_models();
  for (std::uint64_t id = 0; id < nodes; ++id) {
    scheduler.update_node({.id = NodeId{id}, .slots = {.fixed = kSlots}}, now, actions);
    scheduler.probed(NodeId{id}, {}, now, actions);
    scheduler.observe_inventory(NodeId{id}, models, now, now, actions);
  }
}

// `pause`: between decisions. Of those that come faster than they could be read, only some are written down.
void decide(benchmark::State& state, PolicyKind policy, bool full, Duration pause = std::chrono::microseconds(10)) {
  const auto nodes = static_cast<std::uint64_t>(state.range(0));
  Mono now = Mono{} + std::chrono::hours(1);
  SchedulerSettings settings;
  settings.policy = policy;
  Scheduler scheduler(settings);
  build(scheduler, nodes, now);

  // Empty: a third of the slots are taken and nobody waits. Full: all are, and a thousand requests wait.
  const std::uint64_t running = full ? nodes * kSlots : nodes * kSlots / 3;
  Actions actions;
  std::vector<std::pair<RequestId, NodeId>> in_flight;
  std::uint64_t next = 1;
  const auto ask = [&] {
    return Submission{.request = RequestId{next++},
                      .model = "library/model-7:latest",
                      .now = now,
                      .arrival = now,
                      .name = "6dd07547a3b84d9"};
  };
  for (std::uint64_t i = 0; i < running; ++i) {
    const auto submission = ask();
    in_flight.emplace_back(submission.request, std::get<Start>(scheduler.submit(submission, actions)).node);
  }
  if (full) {
    while (std::holds_alternative<Queued>(scheduler.submit(ask(), actions))) {
    }
  }

  std::size_t turn = 0;
  AllocationCounter allocations(state);
  for (auto _ : state) {
    now += pause;
    const auto submission = ask();
    auto decision = scheduler.submit(submission, actions);
    auto& ending = in_flight[turn++ % in_flight.size()];
    scheduler.finished(ending.first, ending.second, {}, std::nullopt, now, actions);
    if (const auto* start = std::get_if<Start>(&decision)) {
      ending = {submission.request, start->node};
    } else {
      const auto& grant = std::get<Grant>(actions.back());
      ending = {grant.request, grant.node};
      actions.clear();
    }
    benchmark::DoNotOptimize(decision);
  }
}

void BM_Decide(benchmark::State& state) { decide(state, PolicyKind::least_connections, false); }
void BM_DecideRoundRobin(benchmark::State& state) { decide(state, PolicyKind::round_robin, false); }
void BM_DecideByEstimate(benchmark::State& state) { decide(state, PolicyKind::earliest_finish, false); }
void BM_DecideByEstimateQueueFull(benchmark::State& state) { decide(state, PolicyKind::earliest_finish, true); }
void BM_DecideAndWriteDown(benchmark::State& state) {
  decide(state, PolicyKind::earliest_finish, false, std::chrono::milliseconds(2));
}
void BM_DecideQueueFull(benchmark::State& state) { decide(state, PolicyKind::least_connections, true); }
BENCHMARK(BM_Decide)->ArgName("nodes")->Arg(2)->Arg(8)->Arg(64)->Arg(1000);
BENCHMARK(BM_DecideRoundRobin)->ArgName("nodes")->Arg(2)->Arg(8)->Arg(64)->Arg(1000);
BENCHMARK(BM_DecideByEstimate)->ArgName("nodes")->Arg(2)->Arg(8)->Arg(64)->Arg(1000);
BENCHMARK(BM_DecideByEstimateQueueFull)->ArgName("nodes")->Arg(2)->Arg(8)->Arg(64)->Arg(1000);
BENCHMARK(BM_DecideAndWriteDown)->ArgName("nodes")->Arg(2)->Arg(8)->Arg(64)->Arg(1000);
BENCHMARK(BM_DecideQueueFull)->ArgName("nodes")->Arg(2)->Arg(8)->Arg(64)->Arg(1000);

// Prompts of so many blocks (256 bytes each) that nobody has read, and one that all nodes have: what a decision adds
// that looks up and notes what caches hold.
void decide_prompt(benchmark::State& state, bool known) {
  constexpr std::uint64_t kNodes = 8;
  Mono now = Mono{} + std::chrono::hours(1);
  SchedulerSettings settings;
  settings.policy = PolicyKind::earliest_finish;
  Scheduler scheduler(settings);
  build(scheduler, kNodes, now);
  Actions actions;
  std::vector<std::uint64_t> prefix(static_cast<std::size_t>(state.range(0)));
  Random random(1);
  std::uint64_t next = 1;
  AllocationCounter allocations(state);
  for (auto _ : state) {
    now += std::chrono::microseconds(10);
    for (std::uint64_t& hash : prefix) hash = known && next > 1 ? hash : random.next();
    const Submission submission{.request = RequestId{next++},
                                .model = "library/model-7:latest",
                                .now = now,
                                .arrival = now,
                                .prompt = {.bytes = prefix.size() * kPrefixBlock, .prefix = prefix}};
    const auto decision = scheduler.submit(submission, actions);
    scheduler.finished(submission.request, std::get<Start>(decision).node, {}, std::nullopt, now, actions);
  }
}
void BM_DecideNewPrompt(benchmark::State& state) { decide_prompt(state, false); }
void BM_DecideKnownPrompt(benchmark::State& state) { decide_prompt(state, true); }
BENCHMARK(BM_DecideNewPrompt)->ArgName("blocks")->Arg(4)->Arg(16)->Arg(256)->Arg(1600);
BENCHMARK(BM_DecideKnownPrompt)->ArgName("blocks")->Arg(4)->Arg(16)->Arg(256)->Arg(1600);

// A poll every five seconds of each node, and a tick ten times a second, must not be felt.
void BM_Poll(benchmark::State& state) {
  const auto nodes = static_cast<std::uint64_t>(state.range(0));
  const Mono now = Mono{} + std::chrono::hours(1);
  Scheduler scheduler{SchedulerSettings{}};
  build(scheduler, nodes, now);
  Actions actions;
  const std::vector<ModelOnNode> models = twenty_models();
  std::uint64_t id = 0;
  AllocationCounter allocations(state);
  for (auto _ : state) scheduler.observe_inventory(NodeId{id++ % nodes}, models, now, now, actions);
}
BENCHMARK(BM_Poll)->ArgName("nodes")->Arg(8)->Arg(1000);

void BM_Tick(benchmark::State& state) {
  Mono now = Mono{} + std::chrono::hours(1);
  Scheduler scheduler{SchedulerSettings{}};
  build(scheduler, static_cast<std::uint64_t>(state.range(0)), now);
  Actions actions;
  AllocationCounter allocations(state);
  for (auto _ : state) scheduler.tick(now += std::chrono::milliseconds(100), actions);
}
BENCHMARK(BM_Tick)->ArgName("nodes")->Arg(8)->Arg(1000);

// A scrape, a look at the status: as the gateway takes it, a few nodes at a time.
void BM_Snapshot(benchmark::State& state) {
  const Mono now = Mono{} + std::chrono::hours(1);
  Scheduler scheduler{SchedulerSettings{}};
  build(scheduler, static_cast<std::uint64_t>(state.range(0)), now);
  AllocationCounter allocations(state);
  for (auto _ : state) {
    Snapshot snapshot;
    while (scheduler.add_to(snapshot, 4, now)) {
    }
    benchmark::DoNotOptimize(snapshot);
  }
}
BENCHMARK(BM_Snapshot)->ArgName("nodes")->Arg(8)->Arg(1000);

}  // namespace
}  // namespace drover::balance
