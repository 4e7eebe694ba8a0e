#pragma once
// The processes of the world: each can be killed at any moment and started again, as an operator would. What a killed
// one leaves behind unwinds unseen, its network reaches nobody, and it is gone when its last flow is.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"
#include "gateway/gateway.h"
#include "net/sim_world.h"
#include "sim/server.h"

namespace drover::world {

// An Ollama: `sim/` on a simulated machine.
class NodeProcess {
 public:
  NodeProcess(net::SimWorld& world, net::SimLoop& loop, net::Endpoint at, sim::NodeSettings settings);
  ~NodeProcess();

  void start();
  void crash();
  bool running() const { return current_ != nullptr; }
  sim::Server& server() { return *current_->server; }
  const net::Endpoint& endpoint() const { return at_; }
  // Where it listens from its next start on.
  void move_to(const net::Endpoint& at) { at_ = at; }
  const sim::NodeSettings& settings() const { return settings_; }
  // Forgets what has unwound. False: something still does.
  bool clean_up();

 private:
  struct Life {
    Life(net::SimWorld& world, net::SimLoop& loop) : network(world, loop), ending(loop) {}
    net::SimNetwork network;
    std::unique_ptr<sim::Server> server;
    net::TaskGroup ending;
  };

  net::SimWorld& world_;
  net::SimLoop& loop_;
  net::Endpoint at_;
  sim::NodeSettings settings_;
  std::unique_ptr<Life> current_;
  std::vector<std::unique_ptr<Life>> dead_;
};

// What the world hears of a gateway's life.
class GatewayEvents {
 public:
  virtual void started(unsigned life, const std::vector<const net::Network*>& networks) = 0;
  virtual void configured(const config::DroverSettings& settings) = 0;  // by its start, or a reload that it took
  virtual void line(unsigned life, std::string_view text) = 0;          // of the access log
  virtual void logged_event(std::string_view event, std::string_view text) = 0;
  virtual void ended(unsigned life, gateway::Gateway& gateway) = 0;  // in peace, after SIGTERM

 protected:
  ~GatewayEvents() = default;
};

class GatewayProcess {
 public:
  GatewayProcess(net::SimWorld& world, net::Resolver& names, std::size_t workers, net::Endpoint listen,
                 net::Endpoint admin, std::uint64_t seed, GatewayEvents& events);
  ~GatewayProcess();

  // With the settings of this drover.yaml, which must be right.
  void start(const std::string& yaml);
  // SIGHUP. False: the file is wrong, and the old settings stay.
  bool reload(const std::string& yaml);
  void terminate();  // SIGTERM; once more has no effect
  void crash();

  bool running() const { return current_ != nullptr; }
  bool stopping() const { return current_ != nullptr && current_->stopping; }
  unsigned life() const { return lives_; }
  gateway::Gateway& gateway() { return *current_->gateway; }
  std::size_t streams() const;      // open ones
  std::size_t most_unsent() const;  // bytes that one of them keeps
  // Until then one of the threads gets no processor.
  void freeze(std::size_t thread, Mono until) {
    loops_[thread % loops_.size()]->freeze(until);
    frozen_until_ = std::max(frozen_until_, until);
  }
  Mono frozen_until() const { return frozen_until_; }
  // Until then this incarnation has no descriptor left.
  void lack_descriptors(Mono until);
  bool clean_up();

 private:
  class EventLog;
  struct Life {
    unsigned number;
    bool stopping = false;
    std::optional<Mono> ended{};
    bool crashed = false;
    std::vector<std::unique_ptr<net::SimNetwork>> networks;  // the control loop's is the first
    std::unique_ptr<EventLog> log;
    net::Signal first_round;
    std::unique_ptr<gateway::Gateway> gateway;
  };
  void end(Life& life);
  bool is_gone(const Life& life) const;

  net::SimWorld& world_;
  net::Resolver& names_;
  net::Endpoint listen_;
  net::Endpoint admin_;
  std::uint64_t seed_;
  GatewayEvents& events_;
  std::vector<std::unique_ptr<net::SimLoop>> loops_;  // the control loop's is the first
  unsigned lives_ = 0;
  Mono frozen_until_{};
  std::unique_ptr<Life> current_;
  std::vector<std::unique_ptr<Life>> dead_;
};

}  // namespace drover::world
