#include "sim/fleet.h"

#include <fmt/format.h>

namespace drover::sim {

Result<std::unique_ptr<Fleet>> Fleet::make(net::Network& network, const Settings& settings, net::Endpoint first) {
  if (auto valid = validate(settings); !valid) return valid.error();
  if (first.port != 0 && first.port + settings.nodes.size() - 1 > 65535) {
    return Error{ErrorCode::config, Side::gateway,
                 fmt::format("{} nodes from port {} on would need ports above 65535; listen on a lower one",
                             settings.nodes.size(), first.port)};
  }
  auto fleet = std::make_unique<Fleet>();
  for (const NodeSettings& each : settings.nodes) {
    auto listener = network.listen(first);
    if (!listener) return listener.error();
    fleet->nodes_.push_back(std::make_unique<Server>(network.loop(), std::move(*listener), each, settings.seed));
    if (first.port != 0) ++first.port;
  }
  return fleet;
}

void Fleet::start() {
  for (const auto& node : nodes_) node->start();
}

net::Task<> Fleet::stop() {
  for (const auto& node : nodes_) co_await node->stop();
}

}  // namespace drover::sim
