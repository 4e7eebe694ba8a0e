#include "observe/metric_table.h"

#include <algorithm>

namespace drover::observe {
namespace {

using enum MetricKind;

constexpr std::array<MetricSpec, kMetricCount> kTable = {{
    {Metric::build_info,
     "drover_build_info",
     gauge,
     "Always 1; what is running, in its labels.",
     {"version", "commit"}},
    {Metric::requests_accepted,
     "drover_requests_accepted_total",
     counter,
     "Requests of which a head came in; each ends exactly once in drover_requests_total.",
     {}},
    {Metric::requests,
     "drover_requests_total",
     counter,
     "Requests that ended, by model, serving node, dialect, status sent and outcome.",
     {"model", "node", "dialect", "code", "outcome"}},
    {Metric::requests_in_flight, "drover_requests_in_flight", gauge, "Requests accepted and not ended.", {}},
    {Metric::request_duration,
     "drover_request_duration_seconds",
     histogram,
     "From the head of a request to the end of its answer.",
     {"model"}},
    {Metric::queue_wait,
     "drover_queue_wait_seconds",
     histogram,
     "Time that a request waited for a slot of a node.",
     {"model"}},
    {Metric::model_load,
     "drover_model_load_seconds",
     histogram,
     "Time that a request waited for its model to be loaded.",
     {"model"}},
    {Metric::time_to_first_token,
     "drover_time_to_first_token_seconds",
     histogram,
     "From the head of a request to the first token of its answer.",
     {"model"}},
    {Metric::time_per_output_token,
     "drover_time_per_output_token_seconds",
     histogram,
     "Mean time of an output token after the first, one observation a request.",
     {"model"}},
    {Metric::estimate_ratio,
     "drover_estimate_ratio",
     histogram,
     "What a wait or an answer took, by what it had been expected to take.",
     {"model", "part"}},
    {Metric::tokens,
     "drover_tokens_total",
     counter,
     "Tokens as nodes count them; cached ones are part of prompt.",
     {"model", "direction"}},
    {Metric::reloads_avoided,
     "drover_reloads_avoided_total",
     counter,
     "Requests whose num_ctx was fitted to a loaded runner, which their node would have loaded anew.",
     {"model"}},
    {Metric::fallbacks,
     "drover_fallbacks_total",
     counter,
     "Requests for a model that no node could serve, which went to the fallback of its route.",
     {"model"}},
    {Metric::queue_depth, "drover_queue_depth", gauge, "Requests waiting for a slot now.", {"model"}},
    {Metric::node_up, "drover_node_up", gauge, "1 if the node answered its last probe.", {"node"}},
    {Metric::node_health,
     "drover_node_health",
     gauge,
     "1 for the state that the node is in: stable, degraded, offline or recovering.",
     {"node", "state"}},
    {Metric::node_gpu_busy,
     "drover_node_gpu_busy_ratio",
     gauge,
     "Part of the time in which the node's GPUs work, as its agent says.",
     {"node"}},
    {Metric::node_gpu_memory_free,
     "drover_node_gpu_memory_free_bytes",
     gauge,
     "Free memory of the node's GPUs, as its agent says.",
     {"node"}},
    {Metric::node_gpu_memory,
     "drover_node_gpu_memory_bytes",
     gauge,
     "Memory of the node's GPUs, as its agent says.",
     {"node"}},
    {Metric::model_loads,
     "drover_model_loads_total",
     counter,
     "Models that the gateway had a node load, by how that ended.",
     {"node", "result"}},
    {Metric::model_evictions,
     "drover_model_evictions_total",
     counter,
     "Models that the gateway had a node unload, so that there was room for another.",
     {"node"}},
    {Metric::leaked_slots,
     "drover_leaked_slots_total",
     counter,
     "Models that were unloaded because nothing started on them any more.",
     {"node"}},
    {Metric::node_trials,
     "drover_node_trials_total",
     counter,
     "Requests of the gateway's own that tried a node, by what they showed.",
     {"node", "verdict"}},
    {Metric::retries,
     "drover_retries_total",
     counter,
     "Attempts made again, by why the one before failed.",
     {"reason"}},
    {Metric::upstream_attempts,
     "drover_upstream_attempts_total",
     counter,
     "Attempts that reached for a node, by how they ended.",
     {"node", "outcome"}},
    {Metric::upstream_anomalies,
     "drover_upstream_anomalies_total",
     counter,
     "What nodes sent against the protocol, or beside it.",
     {"kind"}},
    {Metric::upstream_closed_idle,
     "drover_upstream_closed_idle_total",
     counter,
     "Pooled connections that their node closed while nobody used them.",
     {}},
    {Metric::name_lookups,
     "drover_name_lookups_total",
     counter,
     "Look-ups of the names of nodes, by how they ended.",
     {"result"}},
    {Metric::http_rejects,
     "drover_http_rejects_total",
     counter,
     "Requests whose head was refused; they count as accepted and end as refused.",
     {"reason"}},
    {Metric::client_disconnects,
     "drover_client_disconnects_total",
     counter,
     "Clients that left before their answer ended, by what their request was doing.",
     {"phase"}},
    {Metric::stream_truncated,
     "drover_stream_truncated_total",
     counter,
     "Answers cut after their first byte, by cause.",
     {"cause"}},
    {Metric::stream_paused,
     "drover_stream_paused_total",
     counter,
     "Times that a node was not read because the client did not take what was there.",
     {}},
    {Metric::buffered_bytes, "drover_buffered_bytes", gauge, "Bytes of requests and answers held in memory now.", {}},
    {Metric::connections, "drover_connections_open", gauge, "Connections of clients now.", {}},
    {Metric::log_dropped,
     "drover_log_dropped_total",
     counter,
     "Lines of the access log that found no room or whose sink failed.",
     {}},
    {Metric::config_last_reload_success,
     "drover_config_last_reload_success",
     gauge,
     "1 if the last configuration read was valid and is in use.",
     {}},
    {Metric::config_last_reload_timestamp,
     "drover_config_last_reload_timestamp_seconds",
     gauge,
     "When a configuration was last read, in seconds since 1970.",
     {}},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i].metric != static_cast<Metric>(i)) return false;
  }
  return true;
}
static_assert(in_order(), "spec() looks a metric up by its place");

}  // namespace

std::string_view name(MetricKind kind) {
  switch (kind) {
    case counter: return "counter";
    case gauge: return "gauge";
    case histogram: return "histogram";
  }
  return "";
}

std::span<const std::string_view> MetricSpec::labels() const {
  const auto end = std::find(label_names.begin(), label_names.end(), std::string_view());
  return {label_names.data(), static_cast<std::size_t>(end - label_names.begin())};
}

std::span<const MetricSpec> metric_table() { return kTable; }

const MetricSpec& spec(Metric metric) { return kTable[static_cast<std::size_t>(metric)]; }

}  // namespace drover::observe
