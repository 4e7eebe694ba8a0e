#include "balance/snapshot.h"

#include <algorithm>

#include "balance/dispatcher.h"

namespace drover::balance {
namespace {

constexpr double kLongestWait = 1e6;  // seconds

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
  if (node.load)
    copy.loading = LoadSnapshot{
        .model = node.load->lane->model, .evicts = {}, .begun = node.load->asked_for, .since = node.load->since};
  copy.runners.reserve(node.runners.size());
  for (const auto& [key, runner] : node.runners) copy.runners.push_back(runner_snapshot(runner));
  for (const Served& served : node.served) {
    copy.waiting += served.lane->line.size();
    const auto runner = std::ranges::lower_bound(copy.runners, served.runner->key, {}, &RunnerSnapshot::key);
    runner->models.push_back(served.lane->model);
    if (node.makes_room(*served.runner)) copy.loading->evicts = served.lane->model;
  }
  return copy;
}

ModelSnapshot model_snapshot(const Lane& lane, Mono now) {
  ModelSnapshot copy{.model = lane.model, .waiting = lane.line.size(), .in_flight = lane.running};
  if (lane.line.empty()) return copy;
  copy.oldest = lane.line.oldest();
  if (const auto wait = lane.line.wait(*lane.line.last(), now)) {
    copy.wait = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(*wait, kLongestWait)));
  }
  return copy;
}

TenantSnapshot tenant_snapshot(const Tenant& tenant) {
  return {.name = tenant.name, .weight = tenant.weight, .waiting = tenant.waiting};
}

}  // namespace

bool add_to(Snapshot& snapshot, std::size_t most, const Dispatcher& dispatcher, Mono now) {
  snapshot.waiting = dispatcher.waiting;
  snapshot.in_flight = dispatcher.requests.size() - dispatcher.waiting;
  snapshot.retries = dispatcher.budget.in_use();
  snapshot.retry_limit = dispatcher.budget.limit(dispatcher.requests.size());
  const auto& nodes = dispatcher.nodes;
  const auto& lanes = dispatcher.lanes;
  const auto& tenants = dispatcher.tenants.named();
  auto node = snapshot.nodes.empty() ? nodes.begin() : nodes.upper_bound(snapshot.nodes.back().id);
  for (; node != nodes.end() && most > 0; ++node, --most) snapshot.nodes.push_back(node_snapshot(node->second, now));
  auto lane = snapshot.models.empty() ? lanes.begin() : lanes.upper_bound(snapshot.models.back().model);
  for (; lane != lanes.end() && most > 0; ++lane, --most) snapshot.models.push_back(model_snapshot(lane->second, now));
  auto tenant = snapshot.tenants.empty() ? tenants.begin() : tenants.upper_bound(snapshot.tenants.back().name);
  for (; tenant != tenants.end() && most > 0; ++tenant, --most) {
    snapshot.tenants.push_back(tenant_snapshot(tenant->second));
  }
  return node != nodes.end() || lane != lanes.end() || tenant != tenants.end();
}

}  // namespace drover::balance
