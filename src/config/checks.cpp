// Faults between settings.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "api/model_name.h"
#include "config/quantities.h"
#include "config/settings.h"
#include "guard/exposure.h"

namespace drover::config {
namespace {

constexpr std::size_t kMostNodes = 1000;
constexpr std::size_t kMostRoutes = 100;
constexpr std::size_t kMostAliases = 100;
constexpr std::size_t kMostShares = 16;

class Checks {
 public:
  explicit Checks(const DroverSettings& settings) : settings_(settings) {}

  std::vector<ConfigError> run() && {
    listeners();
    nodes();
    routes();
    aliases();
    quantities();
    return std::move(faults_);
  }

 private:
  void fault(std::string path, std::string message) {
    ConfigError error;
    error.path = std::move(path);
    error.code = "conflict";
    error.message = std::move(message);
    faults_.push_back(std::move(error));
  }

  void listeners() {
    for (const auto& [name, endpoint] : {std::pair("listen", settings_.listen), std::pair("admin", settings_.admin)}) {
      const auto exposed = guard::check_exposure(name, endpoint, settings_.insecure);
      if (!exposed) fault(name, exposed.error().detail);
    }
    const net::Endpoint &a = settings_.listen, &b = settings_.admin;
    const bool overlap = a.ip == b.ip || a.is_unspecified() || b.is_unspecified();
    if (a.port != 0 && a.port == b.port && overlap) {
      fault("admin", fmt::format("admin is {}, which is taken by listen; give it another port", net::to_text(b)));
    }
  }

  void nodes() {
    if (settings_.nodes.size() > kMostNodes) {
      fault("nodes", fmt::format("nodes are {}; expected {} at most", settings_.nodes.size(), kMostNodes));
    }
    std::map<std::string_view, std::size_t> names;
    std::map<fleet::Address, std::size_t> addresses;
    for (std::size_t i = 0; i < settings_.nodes.size(); ++i) {
      const fleet::NodeSpec& node = settings_.nodes[i];
      const fleet::Address address = fleet::address_of(node.url);
      const std::string url_path = fmt::format("nodes[{}].url", i);
      own_listener(url_path, node, "listen", settings_.listen);
      own_listener(url_path, node, "admin", settings_.admin);
      if (const auto [first, added] = addresses.emplace(address, i); !added) {
        fault(url_path,
              fmt::format("{} is {}, the same node as nodes[{}]", url_path, http::to_text(node.url), first->second));
      } else if (const auto [named, fresh] = names.emplace(node.name, i); !fresh) {
        const std::string path = fmt::format("nodes[{}].name", i);
        fault(path,
              fmt::format("{} is {}, the name of nodes[{}] already; give it another", path, node.name, named->second));
      }
    }
  }

  // A gateway that is its own node would send each request round for ever.
  void own_listener(const std::string& path, const fleet::NodeSpec& node, std::string_view setting,
                    const net::Endpoint& listener) {
    if (listener.port == 0 || node.url.port != listener.port) return;
    const auto ip = net::parse_ip(node.url.host, listener.port);
    const bool same = fleet::address_of(node.url) == fleet::address_of(net::ip_text(listener), listener.port);
    const bool covered = listener.is_unspecified() && ip && ip->is_loopback();
    if (!same && !covered) return;
    fault(path, fmt::format("{} is {}, which is this gateway itself ({}: {}); a node must be another server", path,
                            http::to_text(node.url), setting, net::to_text(listener)));
  }

  void routes() {
    if (settings_.routes.size() > kMostRoutes) {
      fault("routes", fmt::format("routes are {}; expected {} at most", settings_.routes.size(), kMostRoutes));
    }
    std::map<std::string_view, std::size_t> patterns;
    for (std::size_t i = 0; i < settings_.routes.size(); ++i) {
      const balance::RouteSettings& route = settings_.routes[i];
      if (const auto [first, added] = patterns.emplace(route.model, i); !added) {
        const std::string path = fmt::format("routes[{}].model", i);
        fault(path, fmt::format("{} is {}, which routes[{}] takes already; it is never reached", path, route.model,
                                first->second));
      }
      if (route.policy == balance::PolicyKind::manual && route.nodes.empty()) {
        const std::string path = fmt::format("routes[{}].policy", i);
        fault(path, fmt::format("{} is manual, which needs the route's `nodes`, the preferred one first", path));
      }
      for (std::size_t at = 0; at < route.nodes.size(); ++at) known_node(i, at, route.nodes[at]);
      fallback(i, route);
    }
    if (settings_.policy == balance::PolicyKind::manual) {
      fault("policy", "policy is manual, which is for a route with `nodes`; expected another one for all other models");
    }
  }

  void fallback(std::size_t i, const balance::RouteSettings& route) {
    if (route.fallback.empty()) return;
    const std::string path = fmt::format("routes[{}].fallback", i);
    const std::string key = api::model_key(route.fallback);
    if (key == api::model_key(route.model)) {
      fault(path, fmt::format("{} is {}, the route's own model; expected another one", path, route.fallback));
    }
    for (std::size_t at = 0; at < settings_.aliases.size(); ++at) {
      if (key != api::model_key(settings_.aliases[at].name)) continue;
      fault(path, fmt::format("{} is {}, an alias (aliases[{}]); expected a model that nodes have", path,
                              route.fallback, at));
    }
  }

  void known_node(std::size_t route, std::size_t at, std::string_view name) {
    const auto& nodes = settings_.nodes;
    if (std::ranges::find(nodes, name, &fleet::NodeSpec::name) != nodes.end()) return;
    std::vector<std::string_view> names;
    for (const fleet::NodeSpec& node : nodes) names.emplace_back(node.name);
    const std::string path = fmt::format("routes[{}].nodes[{}]", route, at);
    fault(fmt::format("routes[{}].nodes", route),
          fmt::format("{} is {}, and no node has that name; expected one of {}", path, name,
                      names.empty() ? "`nodes`, which is empty" : fmt::format("{}", fmt::join(names, ", "))));
  }

  void aliases() {
    if (settings_.aliases.size() > kMostAliases) {
      fault("aliases", fmt::format("aliases are {}; expected {} at most", settings_.aliases.size(), kMostAliases));
    }
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < settings_.aliases.size(); ++i) {
      const std::string& name = settings_.aliases[i].name;
      if (const auto [first, added] = places.emplace(api::model_key(name), i); !added) {
        const std::string path = fmt::format("aliases[{}].name", i);
        fault(path, fmt::format("{} is {}, the name of aliases[{}] already", path, name, first->second));
      }
    }
    for (std::size_t i = 0; i < settings_.aliases.size(); ++i) shares(i, settings_.aliases[i], places);
  }

  // `places`: of all aliases, by key.
  void shares(std::size_t i, const fleet::AliasSettings& alias, const std::map<std::string, std::size_t>& places) {
    const std::string path = fmt::format("aliases[{}].models", i);
    if (alias.models.empty() || alias.models.size() > kMostShares) {
      fault(fmt::format("aliases[{}].name", i), fmt::format("{} are {}; expected 1 to {} models for {} to stand for",
                                                            path, alias.models.size(), kMostShares, alias.name));
    }
    std::map<std::string, std::size_t> before;
    for (std::size_t at = 0; at < alias.models.size(); ++at) {
      const std::string& model = alias.models[at].model;
      const std::string its_path = fmt::format("{}[{}].model", path, at);
      const std::string key = api::model_key(model);
      const auto other = places.find(key);
      if (model.empty()) {
        fault(path, fmt::format("{} is missing; expected the name of a model", its_path));
      } else if (const auto [first, added] = before.emplace(key, at); !added) {
        fault(its_path, fmt::format("{} is {}, which {}[{}] is already", its_path, model, path, first->second));
      } else if (other != places.end() && other->second != i) {
        fault(its_path, fmt::format("{} is {}, an alias itself (aliases[{}]); expected a model that nodes have",
                                    its_path, model, other->second));
      } else if (other != places.end() && alias.models.size() == 1) {
        fault(its_path, fmt::format("{} is {}, the alias itself; expected a model that nodes have", its_path, model));
      }
    }
  }

  void quantities() {
    const Limits& limits = settings_.limits;
    for (const auto& [name, size] :
         {std::pair("request_body", limits.request_body), std::pair("stream_buffer", limits.stream_buffer)}) {
      if (!limits.buffers || size <= *limits.buffers) continue;
      fault(fmt::format("limits.{}", name), fmt::format("limits.{} is {}, more than limits.buffers, which is {}", name,
                                                        size_text(size), size_text(*limits.buffers)));
    }
    const Timeouts& timeouts = settings_.timeouts;
    if (timeouts.agent_report < timeouts.agent_interval) {
      fault("timeouts.agent_report",
            fmt::format("timeouts.agent_report is {}, shorter than timeouts.agent_interval, which is {}",
                        duration_text(timeouts.agent_report), duration_text(timeouts.agent_interval)));
    }
    const HealthThresholds& health = settings_.health;
    if (health.degraded_percent > health.offline_percent) {
      fault("health.degraded_percent",
            fmt::format("health.degraded_percent is {}, more than health.offline_percent, which is {}",
                        health.degraded_percent, health.offline_percent));
    }
    if (health.open > health.longest_open) {
      fault("health.open", fmt::format("health.open is {}, longer than health.longest_open, which is {}",
                                       duration_text(health.open), duration_text(health.longest_open)));
    }
  }

  const DroverSettings& settings_;
  std::vector<ConfigError> faults_;
};

}  // namespace

std::vector<ConfigError> check_settings(const DroverSettings& settings) { return Checks(settings).run(); }

}  // namespace drover::config
