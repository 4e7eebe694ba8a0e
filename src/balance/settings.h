#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "balance/health.h"
#include "balance/leak.h"
#include "balance/line_rules.h"
#include "balance/policy.h"
#include "balance/priority.h"
#include "balance/retry_budget.h"
#include "base/clock.h"

namespace drover::balance {

// What is decided otherwise for some models.
struct RouteSettings {
  std::string model;  // a pattern (api/model_pattern.h)
  PolicyKind policy = PolicyKind::earliest_finish;
  std::vector<std::string> nodes{};  // by name, the preferred one first; empty: all
  unsigned gpu_percent = 70;         // gpu_score: what free GPU time counts for; free memory for the rest
  ContextRule context = ContextRule::fit;
  std::string fallback{};  // the model to take while no node can serve this one; empty: none. For the caller

  friend bool operator==(const RouteSettings&, const RouteSettings&) = default;
};

struct TenantSettings {
  std::string name;
  unsigned weight = 1;
  Priority priority = Priority::normal;  // of its requests that name none

  friend bool operator==(const TenantSettings&, const TenantSettings&) = default;
};

struct SchedulerSettings {
  std::size_t max_queue = 1000;           // waiting requests, all models together
  std::size_t max_queue_each = 250;       // of each tenant that has a name
  std::vector<TenantSettings> tenants{};  // any other name has the defaults
  bool tenant_caches = false;             // what one has in a cache moves no request of another
  LineRules line{};
  Duration queue_timeout = std::chrono::seconds(300);  // the longest wait
  unsigned attempts = 3;                               // per request, the first one included; for retry_after()
  RetryBudgetSettings retry_budget;
  HealthSettings health;
  LeakSettings leak{};
  PolicyKind policy = PolicyKind::earliest_finish;
  unsigned gpu_percent = 70;                          // RouteSettings::gpu_percent for all others
  Duration gpu_report_age = std::chrono::seconds(5);  // an older report of a node's GPUs is not used
  std::vector<RouteSettings> routes{};                // the first that fits a model; `policy` for all others
  unsigned parallel_loads = 2;  // of one model at a time, on different nodes; more where it has many
  Duration spill_delay = std::chrono::seconds(30);         // the longest wait for a better node while another is free
  Duration first_token_goal = std::chrono::seconds(2);     // nodes that would be later come behind; 0: none
  std::size_t prefix_entries = 1U << 16;                   // beginnings of prompts that are remembered (prefix_index.h)
  std::size_t decisions = 500;                             // remembered, to be explained (decision_log.h); 0: none
  Duration load_patience = std::chrono::seconds(10);       // a load that runs longer keeps other models' requests away
  Duration saturated_cooldown = std::chrono::seconds(10);  // no loads there after a 'server busy'
  Duration failed_load_cooldown = std::chrono::seconds(10);  // not the same model on the same node after a failed load
};

}  // namespace drover::balance
