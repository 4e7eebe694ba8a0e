#include "gateway/status.h"

#include <map>

namespace drover::gateway {
namespace {

const balance::NodeSnapshot* find(const balance::Snapshot& snapshot, NodeId id) {
  for (const auto& node : snapshot.nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

// As listings name it; the scheduler knows only keys.
std::string listed_name(const fleet::FleetView& fleet, const std::string& key) {
  const fleet::Model* model = fleet.find(key);
  return model == nullptr ? key : model->name;
}

Json runner_json(const balance::RunnerSnapshot& runner, const fleet::NodeReport& report,
                 const fleet::FleetView& fleet) {
  Json names = Json::array();
  for (const std::string& key : runner.models) names.push_back(listed_name(fleet, key));
  Json json{{"models", std::move(names)},
            {"resident", runner.resident},
            {"slots", runner.slots},
            {"automatic_slots", runner.automatic_slots},
            {"in_flight", runner.in_flight}};
  if (runner.context > 0) json["context"] = runner.context;
  if (runner.leaked) json["leaked"] = true;
  for (const fleet::RunningModel& running : report.running) {
    if (std::ranges::find(runner.models, running.key) == runner.models.end()) continue;
    json["size"] = running.size.value;
    json["size_vram"] = running.size_vram.value;
  }
  return json;
}

Json gpu_json(const fleet::AgentReport& report, Mono now) {
  Json gpus = Json::array();
  for (const fleet::Gpu& gpu : report.gpus) {
    gpus.push_back({{"name", gpu.name},
                    {"busy", gpu.busy},
                    {"memory_free", gpu.memory_free.value},
                    {"memory_total", gpu.memory_total.value}});
  }
  return Json{{"busy", report.busy()},
              {"memory_free", report.memory_free().value},
              {"memory_total", report.memory_total().value},
              {"age_s", seconds(now - report.at)},
              {"gpus", std::move(gpus)}};
}

Json node_json(const Control::NodeStatus& status, const balance::NodeSnapshot* snapshot, const fleet::FleetView& fleet,
               Mono now) {
  const fleet::NodeSpec& spec = status.state.spec;
  Json json{{"name", spec.name},
            {"url", http::to_text(spec.url)},
            {"simulated", spec.simulated},
            {"version", status.state.report.version},
            {"reachable", status.state.reachable}};
  if (!status.error.empty()) json["error"] = status.error;
  if (const fleet::AgentReport* report = fleet.agent(spec.id)) json["gpu"] = gpu_json(*report, now);
  if (snapshot == nullptr) return json;
  json["health"] = balance::name(snapshot->health);
  json["why"] = balance::name(snapshot->why);
  json["draining"] = snapshot->draining;
  json["weight"] = spec.weight;
  json["in_flight"] = snapshot->in_flight;
  json["waiting"] = snapshot->waiting;
  if (snapshot->loading) {
    json["loading"] = {{"model", listed_name(fleet, snapshot->loading->model)},
                       {"begun", snapshot->loading->begun},
                       {"for_s", seconds(now - snapshot->loading->since)}};
    const std::string& evicts = snapshot->loading->evicts;
    if (!evicts.empty()) json["loading"]["evicts"] = listed_name(fleet, evicts);
  }
  Json runners = Json::array();
  for (const auto& runner : snapshot->runners) runners.push_back(runner_json(runner, status.state.report, fleet));
  json["runners"] = std::move(runners);
  return json;
}

}  // namespace

Json status_json(const StatusFacts& facts, const std::vector<Control::NodeStatus>& nodes,
                 const balance::Snapshot& snapshot, const fleet::FleetView& fleet, observe::Metrics& metrics,
                 Mono now) {
  Json node_list = Json::array();
  for (const auto& node : nodes) node_list.push_back(node_json(node, find(snapshot, node.state.spec.id), fleet, now));

  Json queue = Json::array();
  for (const auto& model : snapshot.models) {
    if (model.waiting == 0 && model.in_flight == 0) continue;
    Json line{{"model", listed_name(fleet, model.model)}, {"waiting", model.waiting}, {"in_flight", model.in_flight}};
    if (model.oldest) line["oldest_s"] = seconds(now - *model.oldest);
    if (model.wait) line["last_starts_in_s"] = seconds(*model.wait);
    queue.push_back(std::move(line));
  }

  Json tenants = Json::array();
  for (const auto& tenant : snapshot.tenants) {
    tenants.push_back({{"name", tenant.name}, {"weight", tenant.weight}, {"waiting", tenant.waiting}});
  }

  std::map<std::string, std::uint64_t> outcomes;
  for (std::size_t i = 0; i < observe::kOutcomeCount; ++i) {
    outcomes[std::string(observe::name(static_cast<observe::Outcome>(i)))] = 0;
  }
  std::uint64_t accepted = 0;
  for (std::size_t i = 0; i < metrics.shards(); ++i) {
    accepted += metrics.shard(i).accepted.value();
    for (const auto& count : metrics.shard(i).request_counts())
      outcomes[std::string(observe::name(count.outcome))] += count.count;
  }

  return Json{{"version", facts.version},
              {"listen", facts.listen},
              {"admin", facts.admin},
              {"policy", facts.policy},
              {"uptime_s", seconds(facts.uptime)},
              {"draining", facts.draining},
              {"nodes", std::move(node_list)},
              {"queue",
               {{"waiting", snapshot.waiting},
                {"in_flight", snapshot.in_flight},
                {"retries", snapshot.retries},
                {"retry_limit", snapshot.retry_limit},
                {"models", std::move(queue)},
                {"tenants", std::move(tenants)}}},
              {"requests", {{"accepted", accepted}, {"ended", outcomes}}}};
}

}  // namespace drover::gateway
