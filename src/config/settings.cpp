#include "config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <tuple>
#include <utility>

#include "config/binding.h"
#include "config/document.h"
#include "config/reader.h"
#include "config/writer.h"

namespace drover::config {
namespace {

// Names for nodes that have none, and ids by place.
void complete_nodes(std::vector<fleet::NodeSpec>& nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].id = NodeId{i};
    if (nodes[i].name.empty()) nodes[i].name = fleet::default_name(nodes[i].url);
  }
}

// Each element of the list `name` must have `setting`.
void require(ReadState& state, const Value& root, std::string_view name, std::string_view setting,
             std::string_view expected) {
  for (const Entry& entry : root.entries) {
    if (entry.key != name) continue;
    for (std::size_t i = 0; i < entry.value.list.size(); ++i) {
      const Value& element = entry.value.list[i];
      const bool given = std::any_of(element.entries.begin(), element.entries.end(),
                                     [&](const Entry& inner) { return inner.key == setting; });
      if (element.kind != Value::Kind::map || given) continue;
      const std::string path = fmt::format("{}[{}].{}", name, i, setting);
      state.fault(element.place, path, "value", fmt::format("{} is missing; expected {}", path, expected));
    }
  }
}

// A fault between settings is shown at the one of them that is written in the file.
void locate(ReadState& state, ConfigError& fault) {
  std::string path = fault.path;
  auto found = state.places.find(path);
  while (found == state.places.end() && path.find('.') != std::string::npos) {
    path.erase(path.rfind('.'));
    found = state.places.find(path);
  }
  fault.file = state.filename;
  if (found == state.places.end()) return;
  fault.line = found->second.line;
  fault.column = found->second.column;
  fault.width = found->second.width;
  fault.source = source_line(state.source, fault.line);
}

// By place; what has none comes last.
void sort_faults(std::vector<ConfigError>& faults) {
  std::sort(faults.begin(), faults.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::tuple(a.line == 0, a.line, a.column, std::string_view(a.message)) <
           std::tuple(b.line == 0, b.line, b.column, std::string_view(b.message));
  });
}

ConfigError unreadable(const std::string& path, std::string_view why) {
  ConfigError error;
  error.file = path;
  error.code = "unreadable";
  error.message = fmt::format("cannot be read: {}", why);
  return error;
}

}  // namespace

std::expected<DroverSettings, std::vector<ConfigError>> parse_settings(std::string_view text, std::string filename) {
  const auto document = parse_document(text, filename);
  if (!document) return std::unexpected(std::vector{document.error()});

  ReadState state{.filename = std::move(filename), .source = text, .faults = {}, .places = {}};
  DroverSettings settings;
  Reader reader(state, document->root, "");
  bind(reader, settings);
  reader.finish();
  require(state, document->root, "nodes", "url", "[http://]host[:port][/prefix]");
  require(state, document->root, "routes", "model", "a name or a pattern such as llama3.2:* or *");
  require(state, document->root, "tenants", "name", "what stands in the tenant header");
  require(state, document->root, "aliases", "name", "the name by which clients ask");
  complete_nodes(settings.nodes);
  if (state.faults.empty()) {  // else half of what follows would be consequences
    state.faults = check_settings(settings);
    for (ConfigError& fault : state.faults) locate(state, fault);
  }
  if (state.faults.empty()) return settings;
  sort_faults(state.faults);
  return std::unexpected(std::move(state.faults));
}

std::expected<DroverSettings, std::vector<ConfigError>> load_settings(const std::string& path) {
  const auto refuse = [&](std::string_view why) { return std::unexpected(std::vector{unreadable(path, why)}); };
  std::ifstream file(path, std::ios::binary);
  if (!file) return refuse(std::strerror(errno));
  std::string text(kMaxFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return refuse("the disk failed, or it is a folder");
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse_settings(text, path);
}

std::string to_yaml(const DroverSettings& settings) {
  std::string text;
  DroverSettings copy = settings;  // a Binder may change what it binds; a Writer does not
  Writer writer(text, 0);
  bind(writer, copy);
  return text;
}

balance::SchedulerSettings scheduler_settings(const DroverSettings& settings) {
  balance::SchedulerSettings scheduler;
  scheduler.max_queue = settings.limits.queue;
  scheduler.max_queue_each = settings.limits.queue_per_tenant;
  scheduler.tenants = settings.tenants;
  scheduler.tenant_caches = settings.separate_caches;
  scheduler.first_token_goal = settings.timeouts.first_token;
  scheduler.line = {.aging = settings.timeouts.aging, .in_time = settings.timeouts.in_time};
  scheduler.queue_timeout = settings.timeouts.queue;
  scheduler.spill_delay = settings.timeouts.spill;
  scheduler.prefix_entries = settings.limits.prompt_beginnings;
  scheduler.decisions = settings.limits.decisions;
  scheduler.attempts = settings.retry.attempts;
  scheduler.retry_budget.share = settings.retry.budget_percent / 100.0;
  scheduler.retry_budget.least = settings.retry.budget_floor;
  scheduler.leak.patience = settings.timeouts.leaked_slot;
  scheduler.health.rise = settings.health.rise;
  scheduler.health.fall = settings.health.fall;
  scheduler.health.consecutive_failures = settings.health.failures;
  scheduler.health.degraded_ratio = settings.health.degraded_percent / 100.0;
  scheduler.health.offline_ratio = settings.health.offline_percent / 100.0;
  scheduler.health.open_interval = settings.health.open;
  scheduler.health.longest_open_interval = settings.health.longest_open;
  scheduler.health.trial = settings.health.trial;
  scheduler.health.slow_answers = settings.health.slow_answers;
  scheduler.health.slow_factor = settings.health.slow_percent / 100.0;
  scheduler.policy = settings.policy;
  scheduler.gpu_percent = settings.gpu_percent;
  scheduler.gpu_report_age = settings.timeouts.agent_report;
  scheduler.routes = settings.routes;
  return scheduler;
}

Bytes buffer_budget(const Limits& limits, Bytes memory_limit) {
  constexpr Bytes kMost = 1_GiB;
  return limits.buffers.value_or(std::min(Bytes{memory_limit.value / 4}, kMost));
}

std::size_t connection_limit(const Limits& limits, std::size_t descriptor_limit) {
  constexpr std::size_t kReserved = 100;  // for nodes, listeners, logs
  constexpr std::size_t kLeast = 16;
  const std::size_t half = descriptor_limit / 2;
  return limits.connections.value_or(std::max(kLeast, half > kReserved ? half - kReserved : 0));
}

}  // namespace drover::config
