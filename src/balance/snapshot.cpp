#include "balance/snapshot.h"

#include <algorithm>

#include "balance/dispatcher.h"

namespace drover::balance {
namespace {

RunnerSnapshot runner_snapshot(const Runner& runner) {
  return {.key = runner.key,
          .models = {},
          .resident = runner.resident,
          .slots = runner.slots.slots(),
          .automatic_slots = runner.slots.automatic(),
          .in_flight = runner.in_flight,
          .leaked = runner.leak != Leak::none,
          .context = runner.context.tokens(),
          .need = runner.need};
}

NodeSnapshot node_snapshot(const Node& node, Mono now) {
  NodeSnapshot copy{.id = node.spec.id,
                    .health = node.health.state(),
                    .why = node.health.why(),
                    .since = node.health.since(),
                    .draining = node.draining || node.removed,
                    .load_saturated = now < node.no_loads_until,
                    .weight = node.spec.weight,
                    .in_flight = node.in_flight};
  if (node.load) copy.loading = LoadSnapshot{.model = node.load->lane->model, .since = node.load->since};
  copy.runners.reserve(node.runners.size());
  for (const auto& [key, runner] : node.runners) copy.runners.push_back(runner_snapshot(runner));
  for (const Served& served : node.served) {
    copy.waiting += served.lane->line.size();
    const auto runner = std::ranges::lower_bound(copy.runners, served.runner->key, {}, &RunnerSnapshot::key);
    runner->models.push_back(served.lane->model);
  }
  return copy;
}

ModelSnapshot model_snapshot(const Lane& lane) {
  ModelSnapshot copy{.model = lane.model, .waiting = lane.line.size(), .in_flight = lane.running};
  if (!lane.line.empty()) copy.oldest = lane.line.oldest();
  return copy;
}

}  // namespace

bool add_to(Snapshot& snapshot, std::size_t most, const Dispatcher& dispatcher, Mono now) {
  snapshot.waiting = dispatcher.waiting;
  snapshot.in_flight = dispatcher.requests.size() - dispatcher.waiting;
  snapshot.retries = dispatcher.budget.in_use();
  snapshot.retry_limit = dispatcher.budget.limit(dispatcher.requests.size());
  const auto& nodes = dispatcher.nodes;
  const auto& lanes = dispatcher.lanes;
  auto node = snapshot.nodes.empty() ? nodes.begin() : nodes.upper_bound(snapshot.nodes.back().id);
  for (; node != nodes.end() && most > 0; ++node, --most) snapshot.nodes.push_back(node_snapshot(node->second, now));
  auto lane = snapshot.models.empty() ? lanes.begin() : lanes.upper_bound(snapshot.models.back().model);
  for (; lane != lanes.end() && most > 0; ++lane, --most) snapshot.models.push_back(model_snapshot(lane->second));
  return node != nodes.end() || lane != lanes.end();
}

}  // namespace drover::balance
