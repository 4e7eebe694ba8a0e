#include "cli/sim_host.h"

namespace drover::cli {

SimHost::SimHost() : loop_(clock_), network_(loop_), ending_(loop_) {}

SimHost::~SimHost() {
  if (!thread_.joinable()) return;
  loop_.post([this] { ending_.spawn(stop()); });
  thread_.join();
}

net::Task<> SimHost::stop() {
  co_await fleet_->stop();
  loop_.stop();
}

Result<void> SimHost::start(const sim::Settings& settings, const net::Endpoint& first) {
  auto fleet = sim::Fleet::make(network_, settings, first);
  if (!fleet) return fleet.error();
  fleet_ = std::move(*fleet);
  fleet_->start();
  for (const auto& server : fleet_->nodes()) {
    const sim::NodeSettings& node = server->settings();
    nodes_.push_back({node.name, node.card, node.models.size(), node.slots, server->endpoint()});
  }
  thread_ = std::thread([this] { loop_.run(); });
  return {};
}

}  // namespace drover::cli
