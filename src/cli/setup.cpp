#include "cli/setup.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <fstream>

#include "base/ascii.h"

namespace drover::cli {
namespace {

std::vector<std::string> own_names() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return {};
  const std::string full = name;
  const auto dot = full.find('.');
  if (dot == std::string::npos) return {full};
  return {full, full.substr(0, dot)};
}

}  // namespace

Bytes memory_limit() {
  struct sysinfo info{};
  ::sysinfo(&info);
  Bytes limit{static_cast<std::uint64_t>(info.totalram) * info.mem_unit};
  std::ifstream file("/sys/fs/cgroup/memory.max");
  if (std::string text; std::getline(file, text)) {
    if (const auto bytes = ascii::to_number(ascii::trim(text))) limit = std::min(limit, Bytes{*bytes});
  }
  return limit;
}

std::size_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;  // the soft limit is a shell's habit, not the operator's bound
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

Result<gateway::GatewaySetup> make_setup(const config::DroverSettings& settings) {
  auto hosts = guard::HostRules::make(own_names(), settings.hosts);
  if (!hosts) return hosts.error();
  auto origins = guard::OriginRules::gateway(settings.origins);
  if (!origins) return origins.error();

  const config::Limits& limits = settings.limits;
  const config::Timeouts& timeouts = settings.timeouts;
  gateway::GatewaySettings gateway;
  gateway.allow_cloud = settings.allow_cloud;
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
  gateway.buffers = config::buffer_budget(limits, memory_limit());
  gateway.stream_buffer = limits.stream_buffer;
  gateway.connections = config::connection_limit(limits, descriptor_limit());
  gateway.connect = timeouts.connect;
  gateway.silence = timeouts.silence;
  gateway.request = timeouts.request;
  gateway.drain = timeouts.drain;
  gateway.refresh_wait = timeouts.refresh_wait;
  gateway.probe = timeouts.probe;
  gateway.probe_interval = timeouts.probe_interval;
  gateway.tags_interval = timeouts.tags_interval;
  gateway.load = timeouts.load;
  gateway.probe_answer = limits.probe_body;
  gateway.kept_per_node = limits.idle_node_connections;
  return gateway::GatewaySetup{.nodes = settings.nodes,
                               .settings = gateway,
                               .scheduler = config::scheduler_settings(settings),
                               .hosts = std::move(*hosts),
                               .origins = std::move(*origins)};
}

}  // namespace drover::cli
