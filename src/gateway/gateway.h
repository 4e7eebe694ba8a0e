#pragma once
// The gateway put together: workers, the control loop, the admin listener, the scheduler they share. It runs on real
// threads and sockets (cli/) and in one thread of a simulated world alike: which, its parts decide.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/admin.h"
#include "gateway/buffer_budget.h"
#include "gateway/control.h"
#include "gateway/shared_scheduler.h"
#include "gateway/status.h"
#include "gateway/worker.h"
#include "observe/metrics.h"

namespace drover::gateway {

struct GatewayParts {
  net::Network& control;               // the control loop's
  std::vector<net::Network*> workers;  // at least one; several may share a loop
  net::Resolver& resolver;
  Log& log;
  std::function<void(std::string_view)> access_line;  // may be empty
  std::function<std::uint64_t()> log_dropped;         // may be empty
  std::optional<api::LogKey> log_key{};               // of the hashes in the access log; none: it has none
  Control::LocalSlots local_slots;                    // may be empty
  std::uint64_t seed;                                 // of request ids and of what policies draw
  std::string version;
  std::string commit;
};

// Made, started and stopped on the control loop's thread. Everything it was made of outlives it, and all loops run
// until `ended` was called.
class Gateway {
 public:
  Gateway(GatewayParts parts, GatewaySetup setup);
  ~Gateway();

  // The control loop begins to probe; `first_round` as Control::start.
  void start(net::Signal& first_round) { control_.start(first_round); }

  // Clients and operators can come. With several workers all share the port. Errors: system.
  Result<net::Endpoint> listen(const net::Endpoint& at);
  Result<net::Endpoint> listen_admin(const net::Endpoint& at);

  // Swaps settings and nodes whole; live streams never notice.
  void apply(GatewaySetup setup);
  void note_reload(bool ok);

  // Ends politely within the drain grace of the settings; `ended` is called on the control loop.
  void end(std::function<void()> ended);

  Json status() const;
  Result<std::string> decisions(std::string_view request) const;  // AdminPages::decisions
  std::string metrics_page() const;
  std::string_view unready() const;  // why; empty: ready
  Control& control() { return control_; }
  const observe::Metrics& metrics() const { return metrics_; }
  SharedScheduler& scheduler() { return scheduler_; }
  BufferBudget& buffers() { return buffers_; }

 private:
  void publish(const std::shared_ptr<const Published>& published);
  net::Task<> wind_up(std::function<void()> ended);

  GatewayParts parts_;
  mutable observe::Metrics metrics_;  // its shards are read by whoever asks
  BufferBudget buffers_;
  mutable SharedScheduler scheduler_;  // reading a snapshot takes its lock
  std::vector<std::unique_ptr<Worker>> workers_;
  Control control_;
  Shared shared_;
  std::unique_ptr<Admin> admin_;
  net::TaskGroup ending_;
  net::Endpoint listen_at_;
  net::Endpoint admin_at_;
  Mono started_;
  std::size_t workers_ended_ = 0;
  net::Signal all_workers_ended_;
  bool draining_ = false;
  bool last_reload_ok_ = true;
  Wall last_reload_;
};

}  // namespace drover::gateway
