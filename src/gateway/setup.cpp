#include "gateway/setup.h"

namespace drover::gateway {

Result<GatewaySetup> make_setup(const config::DroverSettings& settings, const Machine& machine) {
  auto hosts = guard::HostRules::make(machine.names, settings.hosts);
  if (!hosts) return hosts.error();
  auto origins = guard::OriginRules::gateway(settings.origins);
  if (!origins) return origins.error();

  const config::Limits& limits = settings.limits;
  const config::Timeouts& timeouts = settings.timeouts;
  GatewaySettings gateway;
  gateway.allow_cloud = settings.allow_cloud;
  gateway.trusted_proxies = settings.trusted_proxies;
  gateway.tenant_header = settings.tenant_header;
  gateway.server.head.block = Bytes{limits.head_bytes};
  gateway.server.head.fields = limits.head_fields;
  gateway.server.head_time = timeouts.head;
  gateway.server.body_silence = timeouts.body_idle;
  gateway.server.body_rate = timeouts.body_rate;
  gateway.server.idle = timeouts.keep_alive;
  gateway.server.stalled = timeouts.client_stall;
  gateway.server.requests = limits.requests_per_connection;
  gateway.prompt_body = limits.request_body;
  gateway.small_body = limits.control_body;
  gateway.buffers = config::buffer_budget(limits, machine.memory);
  gateway.stream_buffer = limits.stream_buffer;
  gateway.connections = config::connection_limit(limits, machine.descriptors);
  gateway.connect = timeouts.connect;
  gateway.silence = timeouts.silence;
  gateway.request = timeouts.request;
  gateway.drain = timeouts.drain;
  gateway.refresh_wait = timeouts.refresh_wait;
  gateway.probe = timeouts.probe;
  gateway.probe_interval = timeouts.probe_interval;
  gateway.probe_again = timeouts.probe_again;
  gateway.tags_interval = timeouts.tags_interval;
  gateway.agent_interval = timeouts.agent_interval;
  gateway.trial = timeouts.trial;
  gateway.load = timeouts.load;
  gateway.probe_answer = limits.probe_body;
  gateway.kept_per_node = limits.idle_node_connections;
  return GatewaySetup{.nodes = settings.nodes,
                      .settings = gateway,
                      .scheduler = config::scheduler_settings(settings),
                      .hosts = std::move(*hosts),
                      .origins = std::move(*origins),
                      .aliases = settings.aliases};
}

}  // namespace drover::gateway
