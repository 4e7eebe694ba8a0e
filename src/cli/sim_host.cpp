#include "cli/sim_host.h"

namespace drover::cli {

SimHost::SimHost() : loop_(clock_), network_(loop_), ending_(loop_) {}

SimHost::~SimHost() {
  if (!thread_.joinable()) return;
  loop_.post([this] { ending_.spawn(stop()); });
  thread_.join();
}

net::Task<> SimHost::stop() {
  for (auto& server : servers_) co_await server->stop();
  loop_.stop();
}

Result<void> SimHost::start(const sim::Settings& settings, const net::Endpoint& first) {
  net::Endpoint at = first;
  std::vector<std::unique_ptr<net::Listener>> listeners;
  for (std::size_t i = 0; i < settings.nodes.size(); ++i) {
    auto listener = network_.listen(at, {});
    if (!listener) return listener.error();
    listeners.push_back(std::move(*listener));
    if (at.port != 0) ++at.port;
  }
  for (std::size_t i = 0; i < settings.nodes.size(); ++i) {
    const sim::NodeSettings& node = settings.nodes[i];
    servers_.push_back(std::make_unique<sim::Server>(loop_, std::move(listeners[i]), node, settings.seed));
    nodes_.push_back({node.name, node.card, node.models.size(), node.slots, servers_.back()->endpoint()});
    servers_.back()->start();
  }
  thread_ = std::thread([this] { loop_.run(); });
  return {};
}

}  // namespace drover::cli
