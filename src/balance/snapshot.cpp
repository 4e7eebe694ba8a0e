#include "balance/snapshot.h"

#include "balance/dispatcher.h"

namespace drover::balance {
namespace {

RunnerSnapshot runner_snapshot(const Node& node, const Runner& runner) {
  RunnerSnapshot copy{.key = runner.key,
                      .models = {},
                      .resident = runner.resident,
                      .slots = runner.slots.slots(),
                      .automatic_slots = runner.slots.automatic(),
                      .in_flight = runner.in_flight,
                      .context = runner.context,
                      .need = runner.need};
  for (const Served& served : node.served) {
    if (served.runner == &runner) copy.models.push_back(served.lane->model);
  }
  return copy;
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
  for (const Served& served : node.served) copy.waiting += served.lane->line.size();
  if (node.load) copy.loading = LoadSnapshot{.model = node.load->lane->model, .since = node.load->since};
  for (const auto& [key, runner] : node.runners) copy.runners.push_back(runner_snapshot(node, runner));
  return copy;
}

ModelSnapshot model_snapshot(const Lane& lane) {
  ModelSnapshot copy{.model = lane.model, .waiting = lane.line.size(), .in_flight = lane.running};
  if (!lane.line.empty()) copy.oldest = lane.line.first()->arrival;
  return copy;
}

}  // namespace

Snapshot take_snapshot(const Dispatcher& dispatcher, Mono now) {
  Snapshot snapshot{.waiting = dispatcher.waiting,
                    .in_flight = dispatcher.requests.size() - dispatcher.waiting,
                    .retries = dispatcher.budget.in_use(),
                    .retry_limit = dispatcher.budget.limit(dispatcher.requests.size())};
  for (const auto& [id, node] : dispatcher.nodes) snapshot.nodes.push_back(node_snapshot(node, now));
  for (const auto& [model, lane] : dispatcher.lanes) snapshot.models.push_back(model_snapshot(lane));
  return snapshot;
}

}  // namespace drover::balance
