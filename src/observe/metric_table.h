#pragma once
// Every metric that exists: one table, from which the exposition writes HELP and TYPE and which a test compares with
// the documentation. Names follow Prometheus' conventions: base units, `_total` on counters, no label repeated in the
// name.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace drover::observe {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };
std::string_view name(MetricKind kind);

enum class Metric : std::uint8_t {
  build_info,
  requests_accepted,
  requests,
  requests_in_flight,
  request_duration,
  queue_wait,
  model_load,
  time_to_first_token,
  time_per_output_token,
  estimate_ratio,
  tokens,
  reloads_avoided,
  fallbacks,
  queue_depth,
  node_up,
  node_health,
  node_gpu_busy,
  node_gpu_memory_free,
  node_gpu_memory,
  model_loads,
  model_evictions,
  leaked_slots,
  node_trials,
  retries,
  upstream_attempts,
  upstream_anomalies,
  upstream_closed_idle,
  name_lookups,
  http_rejects,
  client_disconnects,
  stream_truncated,
  stream_paused,
  buffered_bytes,
  connections,
  log_dropped,
  config_last_reload_success,
  config_last_reload_timestamp,
};
inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::config_last_reload_timestamp) + 1;

struct MetricSpec {
  Metric metric;
  std::string_view name;
  MetricKind kind;
  std::string_view help;  // one line
  std::array<std::string_view, 5>
      label_names;  // in the order in which samples give their values; unused ones are empty
  std::span<const std::string_view> labels() const;
};

std::span<const MetricSpec> metric_table();
const MetricSpec& spec(Metric metric);

}  // namespace drover::observe
