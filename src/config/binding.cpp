#include "config/binding.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "balance/tenants.h"
#include "base/ascii.h"
#include "config/nearest.h"
#include "gpu/data_sheet.h"
#include "guard/host.h"
#include "guard/origin.h"
#include "http/head_syntax.h"

namespace drover::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kStandardOutput = "stdout";
constexpr std::string_view kOff = "off";
constexpr std::size_t kLongestName = 63;
constexpr std::size_t kLongestPath = 4096;
constexpr std::size_t kLongestPattern = 256;

void bind_endpoint(Binder& binder, Item item, net::Endpoint& endpoint) {
  binder.text(item, net::to_text(endpoint), [&](std::string_view text) -> std::optional<std::string> {
    auto parsed = net::parse_endpoint(text);
    if (!parsed) return parsed.error().detail;
    endpoint = *parsed;
    return std::nullopt;
  });
}

// Of an enum whose names are these, in their order.
template <typename Choice>
void bind_choice(Binder& binder, Item item, Choice& value, std::span<const std::string_view> names) {
  auto index = static_cast<std::size_t>(value);
  binder.choice(item, index, names);
  value = static_cast<Choice>(index);
}

void bind_policy(Binder& binder, Item item, balance::PolicyKind& policy) {
  bind_choice(binder, item, policy, balance::kPolicyNames);
}

std::string log_text(const AccessLogSettings& log) {
  switch (log.target) {
    case LogTarget::standard_output: return std::string(kStandardOutput);
    case LogTarget::off: return std::string(kOff);
    case LogTarget::file: break;
  }
  return log.path;
}

void bind_access_log(Binder& binder, AccessLogSettings& log) {
  const Item to{"to", "stdout, off, or the path of a file"};
  binder.text(to, log_text(log), [&](std::string_view text) -> std::optional<std::string> {
    if (text.size() > kLongestPath)
      return fmt::format("a path of {} bytes; expected {} at most", text.size(), kLongestPath);
    if (text.find('/') == std::string_view::npos && text != kStandardOutput && text != kOff) {
      return fmt::format(
          "\"{}\" is no path; expected stdout, off, or a path such as /var/log/drover/access.log or ./{}", text, text);
    }
    log.defaulted = false;
    log.target = text == kOff ? LogTarget::off : text == kStandardOutput ? LogTarget::standard_output : LogTarget::file;
    log.path = log.target == LogTarget::file ? text : std::string_view();
    return std::nullopt;
  });
  binder.flag({"prefix_hashes", "say of each prompt how it begins, by keyed hashes"}, log.prefix_hashes);
}

bool is_node_name(std::string_view text) {
  return text.size() <= kLongestName && ascii::is_alnum(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return ascii::is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

std::optional<std::string> read_agent(std::string_view text, std::optional<http::BaseUrl>& agent) {
  constexpr std::uint16_t kPort = 11437;
  auto parsed = http::parse_base_url(text);
  if (!parsed) return parsed.error().detail;
  if (parsed->scheme == http::Scheme::https) return "TLS to agents is not there yet; expected http://...";
  // What the port of an Ollama is by default, is another one for agents.
  constexpr std::uint16_t kOllamas = 11434;
  if (parsed->port == kOllamas && !text.contains(fmt::format(":{}", kOllamas))) parsed->port = kPort;
  agent = std::move(*parsed);
  return std::nullopt;
}

std::string unknown_gpu(std::string_view written) {
  std::vector<std::string_view> names;
  for (const gpu::DataSheet& sheet : gpu::data_sheets()) names.push_back(sheet.name);
  const std::string_view near = nearest_word(written, names);
  return fmt::format("nothing is known of a GPU {:?}; {}", written,
                     near.empty() ? "expected a name as RTX 4090 or H100 (docs/configuration.md has them all)"
                                  : fmt::format("did you mean {:?}?", near));
}

void bind_node(Binder& binder, fleet::NodeSpec& node) {
  binder.text({"url", "where the node listens, as in OLLAMA_HOST"}, http::to_text(node.url),
              [&](std::string_view text) -> std::optional<std::string> {
                auto parsed = http::parse_base_url(text);
                if (!parsed) return parsed.error().detail;
                if (parsed->scheme == http::Scheme::https) return "TLS to nodes is not there yet; expected http://...";
                node.url = std::move(*parsed);
                return std::nullopt;
              });
  binder.text(
      {"name", "its name in metrics, logs and headers; from the url by default"}, node.name,
      [&](std::string_view text) -> std::optional<std::string> {
        if (!is_node_name(text)) {
          return fmt::format(
              "expected a name of letters, digits and . _ - that begins with a letter or digit, {} bytes at most",
              kLongestName);
        }
        node.name = text;
        return std::nullopt;
      });
  binder.text({"agent", "where its agent tells about its GPUs; none by default"},
              node.agent ? http::to_text(*node.agent) : "",
              [&](std::string_view text) { return read_agent(text, node.agent); });
  binder.text({"gpu", "what it computes with, for a first guess of its speed; as its agent says by default"}, node.gpu,
              [&](std::string_view text) -> std::optional<std::string> {
                if (gpu::find_data_sheet(text) == nullptr) return unknown_gpu(text);
                node.gpu = text;
                return std::nullopt;
              });
  binder.whole_or_auto({"slots", "requests that it runs at once for one model; found out by default"}, node.slots, 1,
                       1024);
  binder.whole_or_auto({"max_loaded", "models that it holds in memory at once; found out by default"}, node.max_loaded,
                       1, 64);
  binder.whole({"weight", "its share of the requests, where the policy goes by weight"}, node.weight, 1, 100);
}

void bind_nodes(Binder& binder, std::vector<fleet::NodeSpec>& nodes) {
  binder.list(
      {"nodes", "the servers behind the gateway"},
      {.count = nodes.size(),
       .shorthand = "url",
       .resize = [&](std::size_t size) { nodes.assign(size, fleet::NodeSpec{.id = {}, .name = {}, .url = {}}); },
       .element = [&](Binder& inner, std::size_t i) { bind_node(inner, nodes[i]); }});
}

void bind_names(Binder& binder, Item item, std::vector<std::string>& names,
                std::optional<std::string> (*check)(std::string_view)) {
  const std::vector<std::string> current = std::exchange(names, {});
  bool given = false;
  binder.texts(item, current, [&](std::string_view text) {
    given = true;
    names.emplace_back(text);
    return check(text);
  });
  if (!given) names = current;
}

std::optional<std::string> check_host(std::string_view text) {
  if (guard::is_host_entry(text)) return std::nullopt;
  return "expected a host name without port, for example gateway.example.org or *.example.org";
}

std::optional<std::string> check_origin(std::string_view text) {
  const auto checked = guard::check_origin_entry(text);
  return checked ? std::nullopt : std::optional(checked.error().detail);
}

std::optional<std::string> check_model_name(std::string_view text) {
  if (text.size() > kLongestPattern) {
    return fmt::format("a name of {} bytes; expected {} at most", text.size(), kLongestPattern);
  }
  if (text.find('*') == std::string_view::npos) return std::nullopt;
  return fmt::format("\"{}\" is a pattern; expected the name of one model, for example llama3.2:3b", text);
}

void bind_model_name(Binder& binder, Item item, std::string& name) {
  binder.text(item, name, [&](std::string_view text) {
    name = text;
    return check_model_name(text);
  });
}

void bind_alias(Binder& binder, fleet::AliasSettings& alias) {
  bind_model_name(binder, {"name", "by which clients ask"}, alias.name);
  binder.list({"models", "what it stands for: one model, or several that share its requests"},
              {.count = alias.models.size(),
               .shorthand = "model",
               .resize = [&](std::size_t count) { alias.models.assign(count, {}); },
               .element =
                   [&](Binder& inner, std::size_t i) {
                     fleet::AliasSettings::Share& share = alias.models[i];
                     bind_model_name(inner, {"model", "its name"}, share.model);
                     inner.whole({"weight", "its share of the requests"}, share.weight, 1, 1000);
                   }});
}

void bind_aliases(Binder& binder, std::vector<fleet::AliasSettings>& aliases) {
  binder.list({"aliases", "names that stand for models"},
              {.count = aliases.size(),
               .shorthand = "name",
               .resize = [&](std::size_t count) { aliases.assign(count, {}); },
               .element = [&](Binder& inner, std::size_t i) { bind_alias(inner, aliases[i]); }});
}

void bind_route(Binder& binder, balance::RouteSettings& route) {
  binder.text({"model", "name or pattern: `*` stands for any text"}, route.model,
              [&](std::string_view text) -> std::optional<std::string> {
                if (text.size() > kLongestPattern) {
                  return fmt::format("a pattern of {} bytes; expected {} at most", text.size(), kLongestPattern);
                }
                route.model = text;
                return std::nullopt;
              });
  bind_policy(binder, {"policy", "how one of its nodes is chosen"}, route.policy);
  binder.whole({"gpu_percent", "gpu_score: what free GPU time counts for; free memory for the rest"}, route.gpu_percent,
               0, 100);
  bind_names(binder, {"nodes", "names of those that serve it, the preferred one first; none: all"}, route.nodes,
             [](std::string_view) -> std::optional<std::string> { return std::nullopt; });
  bind_choice(binder,
              {"context", "whether a runner with enough context will do, or only one with just the number sent"},
              route.context, balance::kContextRuleNames);
  bind_model_name(binder, {"fallback", "the model to take while no node can serve this one"}, route.fallback);
}

void bind_routes(Binder& binder, std::vector<balance::RouteSettings>& routes) {
  binder.list({"routes", "what is decided otherwise for some models; the first that fits counts"},
              {.count = routes.size(),
               .shorthand = "model",
               .resize = [&](std::size_t count) { routes.assign(count, {}); },
               .element = [&](Binder& inner, std::size_t i) { bind_route(inner, routes[i]); }});
}

void bind_ranges(Binder& binder, Item item, std::vector<net::AddressRange>& ranges) {
  std::vector<std::string> current;
  for (const net::AddressRange& range : ranges) current.push_back(net::to_text(range));
  bool given = false;
  binder.texts(item, current, [&](std::string_view text) -> std::optional<std::string> {
    if (!std::exchange(given, true)) ranges.clear();
    auto parsed = net::parse_address_range(text);
    if (!parsed) return parsed.error().detail;
    ranges.push_back(*parsed);
    return std::nullopt;
  });
}

void bind_tenant(Binder& binder, balance::TenantSettings& tenant) {
  binder.text({"name", "as its proxy says it"}, tenant.name, [&](std::string_view text) -> std::optional<std::string> {
    if (!balance::is_tenant_name(text)) {
      return fmt::format("expected a name of visible ASCII without blanks, {} bytes at most",
                         balance::kLongestTenantName);
    }
    tenant.name = text;
    return std::nullopt;
  });
  binder.whole({"weight", "its share of the tokens, while others wait, too"}, tenant.weight, 1, 1000);
  bind_choice(binder, {"priority", "of its requests that name none"}, tenant.priority, balance::kPriorityNames);
}

void bind_tenants(Binder& binder, std::vector<balance::TenantSettings>& tenants) {
  binder.list({"tenants", "those that are not like all others"},
              {.count = tenants.size(),
               .shorthand = "name",
               .resize = [&](std::size_t count) { tenants.assign(count, {}); },
               .element = [&](Binder& inner, std::size_t i) { bind_tenant(inner, tenants[i]); }});
}

void bind_header(Binder& binder, Item item, std::string& header) {
  binder.text(item, header, [&](std::string_view text) -> std::optional<std::string> {
    if (!http::is_token(text) || text.size() > kLongestName) {
      return fmt::format("expected the name of a header field, such as x-forwarded-user, {} bytes at most",
                         kLongestName);
    }
    header = text;
    return std::nullopt;
  });
}

void bind_bytes(Binder& binder, Item item, std::size_t& value, Bytes least, Bytes most) {
  Bytes size{value};
  binder.size(item, size, least, most);
  value = size.value;
}

void bind_limits(Binder& binder, Limits& limits) {
  binder.size({"request_body", "body of an inference request"}, limits.request_body, 1_KiB, 4_GiB);
  binder.size({"control_body", "body of any other request"}, limits.control_body, 1_KiB, 64_MiB);
  binder.size_or_auto({"buffers", "bodies and unsent answers of all requests; a quarter of the memory, at most 1GiB"},
                      limits.buffers, 1_MiB, Bytes{1ULL << 40});
  binder.size({"stream_buffer", "what a slow client has not taken, before its node waits"}, limits.stream_buffer,
              64_KiB, 64_MiB);
  binder.whole({"queue", "requests that wait for a slot"}, limits.queue, 0, 1'000'000);
  binder.whole({"queue_per_tenant", "of those, for each tenant that has a name"}, limits.queue_per_tenant, 0,
               1'000'000);
  binder.whole({"prompt_beginnings", "remembered, to find who has them in a cache"}, limits.prompt_beginnings, 64,
               16'000'000);
  binder.whole({"decisions", "remembered, for drover why"}, limits.decisions, 0, 100'000);
  binder.whole_or_auto({"connections", "of clients; half of the descriptor limit less 100"}, limits.connections, 16,
                       10'000'000);
  bind_bytes(binder, {"head", "head of a request"}, limits.head_bytes, 1_KiB, 48_KiB);
  binder.whole({"fields", "fields in the head of a request"}, limits.head_fields, 8, 100);
  binder.whole({"requests_per_connection", "before it is closed"}, limits.requests_per_connection, 1, 1'000'000);
  binder.size({"probe_body", "listing of a node"}, limits.probe_body, 64_KiB, 256_MiB);
  binder.whole({"idle_node_connections", "kept for each node by each worker"}, limits.idle_node_connections, 0,
               100'000);
}

void bind_timeouts(Binder& binder, Timeouts& timeouts) {
  binder.duration({"head", "for the head of a request"}, timeouts.head, milliseconds(100), minutes(10));
  binder.duration({"body_idle", "between bytes of a request's body"}, timeouts.body_idle, milliseconds(100),
                  minutes(10));
  binder.size({"body_rate", "of a request's body in a second, at least"}, timeouts.body_rate, Bytes{1}, 1_GiB);
  binder.duration({"connect", "to a node"}, timeouts.connect, milliseconds(10), minutes(1));
  binder.duration({"probe", "for a node's answer to a probe"}, timeouts.probe, milliseconds(100), minutes(5));
  binder.duration({"queue", "for a slot"}, timeouts.queue, milliseconds(1), hours(24));
  binder.duration({"aging", "of a request of lower priority, before it gets a part of the slots"}, timeouts.aging,
                  milliseconds(0), hours(24));
  binder.duration(
      {"in_time", "for a slot: while more requests come than start, those that can have one so soon go first"},
      timeouts.in_time, milliseconds(0), minutes(10));
  binder.duration({"first_token", "for the first token: nodes that would take longer come behind"},
                  timeouts.first_token, milliseconds(0), minutes(10));
  binder.duration({"spill", "for a better node while another one is free"}, timeouts.spill, milliseconds(0), hours(1));
  binder.duration({"silence", "of a node after its first byte"}, timeouts.silence, milliseconds(100), hours(24));
  binder.duration({"client_stall", "of a client that takes nothing"}, timeouts.client_stall, milliseconds(100),
                  hours(24));
  binder.duration({"keep_alive", "of an idle connection"}, timeouts.keep_alive, milliseconds(100), hours(24));
  binder.duration({"request", "from head to end"}, timeouts.request, milliseconds(100), hours(24 * 7));
  binder.duration({"drain", "for requests in flight when the gateway ends"}, timeouts.drain, milliseconds(0),
                  hours(24));
  binder.duration({"probe_interval", "of /api/version and /api/ps"}, timeouts.probe_interval, milliseconds(100),
                  hours(1));
  binder.duration({"probe_again", "of a node that failed its last probe or is not back in service"},
                  timeouts.probe_again, milliseconds(100), hours(1));
  binder.duration({"tags_interval", "of /api/tags, which is dear to a node"}, timeouts.tags_interval, milliseconds(100),
                  hours(24));
  binder.duration({"refresh_wait", "for news of an unknown model before 404"}, timeouts.refresh_wait, milliseconds(0),
                  minutes(1));
  binder.duration({"trial", "for the answer of a node on trial"}, timeouts.trial, seconds(1), hours(1));
  binder.duration({"agent_interval", "of the reports of a node's agent"}, timeouts.agent_interval, milliseconds(100),
                  hours(1));
  binder.duration({"agent_report", "older ones are not used"}, timeouts.agent_report, milliseconds(100), hours(24));
  binder.duration({"leaked_slot", "of a model in memory on which nothing starts; 0s: for ever"}, timeouts.leaked_slot,
                  seconds(0), hours(24));
  binder.duration({"load", "for a model to be loaded"}, timeouts.load, seconds(1), hours(24));
}

void bind_retry(Binder& binder, RetrySettings& retry) {
  binder.whole({"attempts", "for a request, the first one included"}, retry.attempts, 1, 10);
  binder.whole({"budget_percent", "of the active requests that may be retries"}, retry.budget_percent, 0, 100);
  binder.whole({"budget_floor", "retries that are always allowed"}, retry.budget_floor, 0, 1000);
}

void bind_health(Binder& binder, HealthThresholds& health) {
  binder.whole({"rise", "passed probes in a row that end an outage"}, health.rise, 1, 100);
  binder.whole({"fall", "failed probes in a row that take a node offline"}, health.fall, 1, 100);
  binder.whole({"failures", "failed requests in a row that take a node offline"}, health.failures, 1, 1000);
  binder.whole({"degraded_percent", "failed part of the recent requests that sheds load"}, health.degraded_percent, 1,
               100);
  binder.whole({"offline_percent", "failed part of the recent requests that takes a node offline"},
               health.offline_percent, 1, 100);
  binder.duration({"open", "offline at least so long; doubles with each time"}, health.open, milliseconds(100),
                  hours(1));
  binder.duration({"longest_open", "to which it doubles"}, health.longest_open, milliseconds(100), hours(24));
  binder.flag({"trial", "begin a recovery with a small request of the gateway's own"}, health.trial);
  binder.whole({"slow_answers", "slow ones in a row that shed load; 0: none do"}, health.slow_answers, 0, 1000);
  binder.whole({"slow_percent", "of the usual time a token, from which on an answer is slow"}, health.slow_percent, 110,
               10'000);
}

}  // namespace

void bind(Binder& binder, DroverSettings& settings) {
  bind_endpoint(binder, {"listen", "address for clients"}, settings.listen);
  bind_endpoint(binder, {"admin", "address for operators: metrics, status, /livez, /readyz"}, settings.admin);
  binder.flag({"insecure", "listen beyond this machine without keys and TLS"}, settings.insecure);
  binder.flag({"allow_cloud", "serve models whose prompts leave the building"}, settings.allow_cloud);
  binder.whole({"workers", "threads that serve; 0: one a core"}, settings.workers, 0, 1024);
  bind_policy(binder, {"policy", "how a node is chosen"}, settings.policy);
  binder.whole({"gpu_percent", "gpu_score: what free GPU time counts for; free memory for the rest"},
               settings.gpu_percent, 0, 100);
  bind_routes(binder, settings.routes);
  bind_aliases(binder, settings.aliases);
  bind_nodes(binder, settings.nodes);
  bind_names(binder, {"hosts", "names under which clients reach the gateway"}, settings.hosts, check_host);
  bind_names(binder, {"origins", "web pages that may use the gateway"}, settings.origins, check_origin);
  bind_ranges(binder, {"trusted_proxies", "addresses of those that may say who asks"}, settings.trusted_proxies);
  bind_header(binder, {"tenant_header", "where they say it; x-drover-priority says how urgent it is"},
              settings.tenant_header);
  bind_tenants(binder, settings.tenants);
  binder.flag({"separate_caches", "choose nodes as if no tenant's prompts were in a cache for another"},
              settings.separate_caches);
  binder.section({"access_log", "one line of JSON for each request"}, "to",
                 [&](Binder& inner) { bind_access_log(inner, settings.access_log); });
  binder.section({"limits", "how much"}, [&](Binder& inner) { bind_limits(inner, settings.limits); });
  binder.section({"timeouts", "how long"}, [&](Binder& inner) { bind_timeouts(inner, settings.timeouts); });
  binder.section({"retry", "when an attempt failed before its first byte"},
                 [&](Binder& inner) { bind_retry(inner, settings.retry); });
  binder.section({"health", "when a node is not to be trusted"},
                 [&](Binder& inner) { bind_health(inner, settings.health); });
}

}  // namespace drover::config
