#pragma once
// All settings of the gateway with their defaults, as plain values. `drover.yaml` and the command line fill them.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balance/scheduler.h"
#include "base/clock.h"
#include "base/units.h"
#include "config/error.h"
#include "fleet/alias.h"
#include "fleet/node.h"
#include "net/address_range.h"
#include "net/endpoint.h"

namespace drover::config {

struct Limits {
  Bytes request_body = 64_MiB;             // of inference routes
  Bytes control_body = 1_MiB;              // of all others
  std::optional<Bytes> buffers;            // all requests together; nullopt: see buffer_budget()
  Bytes stream_buffer = 1_MiB;             // what one client has not taken yet, before its node is no longer read
  std::size_t queue = 1000;                // waiting requests
  std::size_t queue_per_tenant = 250;      // of each tenant that has a name
  std::size_t prompt_beginnings = 65536;   // remembered, to find who has them in a cache
  std::size_t decisions = 500;             // remembered, to explain them
  std::optional<std::size_t> connections;  // of clients; nullopt: see connection_limit()
  std::size_t head_bytes = 32 * 1024;      // of a request
  std::size_t head_fields = 100;
  std::size_t requests_per_connection = 1000;
  Bytes probe_body = 16_MiB;                // of a node's listing
  std::size_t idle_node_connections = 256;  // kept per node and worker

  friend bool operator==(const Limits&, const Limits&) = default;
};

struct Timeouts {
  Duration head = std::chrono::seconds(10);
  Duration body_idle = std::chrono::seconds(30);
  Bytes body_rate = 1_KiB;  // a second at least
  Duration connect = std::chrono::seconds(2);
  Duration probe = std::chrono::seconds(5);
  Duration queue = std::chrono::seconds(300);
  Duration aging = std::chrono::seconds(30);
  Duration in_time = std::chrono::milliseconds(600);
  Duration first_token = std::chrono::seconds(2);
  Duration spill = std::chrono::seconds(30);  // waiting by choice
  Duration silence = std::chrono::seconds(120);
  Duration client_stall = std::chrono::seconds(60);
  Duration keep_alive = std::chrono::seconds(75);
  Duration request = std::chrono::minutes(30);
  Duration drain = std::chrono::seconds(30);
  Duration probe_interval = std::chrono::seconds(5);
  Duration probe_again = std::chrono::seconds(1);  // of a node that failed its last probe or is not back yet
  Duration tags_interval = std::chrono::seconds(30);
  Duration refresh_wait = std::chrono::seconds(1);  // for a refresh, before an unknown model is a 404
  Duration trial = std::chrono::seconds(30);        // for the answer of a node on trial
  Duration agent_interval = std::chrono::seconds(1);
  Duration agent_report = std::chrono::seconds(5);  // older ones are not used
  Duration leaked_slot = std::chrono::minutes(1);   // nothing starts on a model in memory; 0: never looked for
  Duration load = std::chrono::minutes(30);         // of a model, through the gateway's own connection

  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

struct RetrySettings {
  unsigned attempts = 3;         // the first one included
  unsigned budget_percent = 20;  // of the active requests may be retries
  unsigned budget_floor = 3;     // so many may always

  friend bool operator==(const RetrySettings&, const RetrySettings&) = default;
};

// The part of balance::HealthSettings that operators have reasons to change.
struct HealthThresholds {
  unsigned rise = 2;                        // passed probes in a row that end an outage
  unsigned fall = 3;                        // failed probes in a row that take a node offline
  unsigned failures = 3;                    // failed requests in a row that do
  unsigned degraded_percent = 20;           // of the recent requests failed: fewer come
  unsigned offline_percent = 50;            // none come
  Duration open = std::chrono::seconds(5);  // offline at least so long; doubles each time up to `longest_open`
  Duration longest_open = std::chrono::seconds(60);
  bool trial = true;            // a recovery begins with a small request of the gateway's own
  unsigned slow_answers = 3;    // in a row that degrade a node; 0: none do
  unsigned slow_percent = 250;  // of the usual time a token: such an answer is slow

  friend bool operator==(const HealthThresholds&, const HealthThresholds&) = default;
};

enum class LogTarget : std::uint8_t { standard_output, file, off };

struct AccessLogSettings {
  LogTarget target = LogTarget::standard_output;
  std::string path;            // of a file
  bool prefix_hashes = false;  // keyed hashes of how prompts begin (api/logged_prefix.h)
  // Nobody chose where: `drover up` then writes to a file of its own while it owns the terminal.
  bool defaulted = true;

  friend bool operator==(const AccessLogSettings&, const AccessLogSettings&) = default;
};

struct DroverSettings {
  net::Endpoint listen{.ip = {127, 0, 0, 1}, .port = 11435};
  net::Endpoint admin{.ip = {127, 0, 0, 1}, .port = 11436};
  bool insecure = false;     // listen beyond this machine without keys and TLS
  bool allow_cloud = false;  // models whose prompts leave the building
  unsigned workers = 0;      // 0: one a core
  balance::PolicyKind policy = balance::PolicyKind::earliest_finish;
  unsigned gpu_percent = 70;                   // of gpu_score
  std::vector<balance::RouteSettings> routes;  // what is decided otherwise for some models
  std::vector<fleet::AliasSettings> aliases;   // names that stand for models
  std::vector<fleet::NodeSpec> nodes;  // ids are their places in this list; the gateway keeps ids stable over reloads
  std::vector<std::string> hosts;      // names the listeners answer to, beside those of guard::HostRules
  std::vector<std::string> origins;    // web pages that may use the gateway, beside those of guard::OriginRules
  std::vector<net::AddressRange> trusted_proxies;  // who may say who asks
  std::string tenant_header = "x-drover-tenant";   // where they say it
  std::vector<balance::TenantSettings> tenants;    // any other name has the defaults
  bool separate_caches = false;  // whose prompts are in a cache moves requests of their own tenant only
  AccessLogSettings access_log;
  Limits limits;
  Timeouts timeouts;
  RetrySettings retry;
  HealthThresholds health;

  friend bool operator==(const DroverSettings&, const DroverSettings&) = default;
};

// The scheduler's own settings.
balance::SchedulerSettings scheduler_settings(const DroverSettings& settings);
// `limits.buffers`, or a quarter of the memory that this process may use, at most 1 GiB.
Bytes buffer_budget(const Limits& limits, Bytes memory_limit);
// `limits.connections`, or half of the descriptor limit less 100; at least 16.
std::size_t connection_limit(const Limits& limits, std::size_t descriptor_limit);

// Faults that no single setting shows: a node that is one of our own listeners, listeners that are one, exposure
// without `insecure`, two nodes of one name or address, a route to a node that is none, an alias that stands for
// nothing or for another alias. To be asked again after flags have changed something.
std::vector<ConfigError> check_settings(const DroverSettings& settings);

// Reads `text` as a drover.yaml. All faults in one run, in the order of the file. `filename` is for messages only.
std::expected<DroverSettings, std::vector<ConfigError>> parse_settings(std::string_view text, std::string filename);
// Reads the file, of at most 1 MiB.
std::expected<DroverSettings, std::vector<ConfigError>> load_settings(const std::string& path);

// The settings as a drover.yaml that parses to the same: every default written out.
std::string to_yaml(const DroverSettings& settings);

}  // namespace drover::config
