#pragma once
// One worker: a loop, its listener, its clients and its connections to nodes. Nothing of a request is shared with other
// workers but the scheduler, so nothing of it is locked.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/logged_prefix.h"
#include "base/log.h"
#include "base/pooled.h"
#include "base/random.h"
#include "gateway/body_memory.h"
#include "gateway/buffer_budget.h"
#include "gateway/published.h"
#include "gateway/shared_scheduler.h"
#include "gateway/upstream_pool.h"
#include "net/network.h"
#include "observe/metrics.h"

namespace drover::gateway {

inline constexpr Bytes kWarmBodies = 4_MiB;  // memory for bodies that a worker keeps between requests, at most

// What all workers share; outlives them.
struct Shared {
  SharedScheduler& scheduler;
  BufferBudget& buffers;
  ControlLink& control;
  Log& log;
  std::function<void(std::string_view)> access_line;  // takes whole lines; any thread; empty: no access log
  std::optional<api::LogKey> log_key;                 // of the hashes in it; none: it has none
  std::string instance;                               // names this process in the hop header of requests to nodes
};

// A queued request waits on its ticket for the scheduler's word.
struct Ticket {
  net::Signal decided;
  std::optional<balance::Grant> grant;    // one of the two
  std::optional<balance::Refuse> refuse;  // once decided
};

// Thread: its loop's, but for the constructor.
class Worker final : public GrantSink {
 public:
  Worker(std::size_t index, net::Network& network, Shared& shared, observe::MetricShard& metrics, Random random,
         std::shared_ptr<const Published> published, std::size_t max_connections);

  // Takes clients from this listener until drain().
  void serve(std::unique_ptr<net::Listener> listener);
  void publish(std::shared_ptr<const Published> published);
  // Takes no new clients; those that wait between requests are closed, those with a request get it finished, for at
  // most `grace`. Calls `ended` when nothing is left.
  void end(Duration grace, std::function<void()> ended);
  std::size_t clients() const { return clients_.size(); }

  // For the flows of this worker.
  net::Loop& loop() { return network_.loop(); }
  net::Network& network() { return network_; }
  Shared& shared() { return shared_; }
  observe::MetricShard& metrics() { return metrics_; }
  UpstreamPool& pool() { return pool_; }
  BodyPool& bodies() { return bodies_; }
  const std::shared_ptr<const Published>& published() const { return published_; }
  bool draining() const { return draining_; }

  RequestId next_request() { return RequestId{index_ << kWorkerShift | ++requests_}; }
  std::string make_request_id();

  // The ticket of a request that was queued; one at a time per request.
  void await_decision(RequestId request, Ticket& ticket) { tickets_[request] = &ticket; }
  void forget(RequestId request) { tickets_.erase(request); }

  // The kernel has accepted it, nobody has read a request of it: 503 with this reason, rather than a reset.
  void turn_away(std::unique_ptr<net::Stream> stream, api::Reason reason);

  // A flow that outlives its client: a load, a cut that must wait.
  void run_in_background(net::Task<> task) { background_.spawn(std::move(task)); }

  // Between two requests a connection is idle: it may be closed when others need its place.
  class IdleMark {
   public:
    IdleMark(Worker& worker, net::Flow& flow) : flow_(flow) { worker.idle_.push_back(*this); }
    void close() { flow_.cancel(); }

   private:
    friend class Worker;
    net::Flow& flow_;
    net::ListLink link_;
  };

 private:
  void granted(const balance::Grant& grant) override;
  void refused(const balance::Refuse& refuse) override;
  net::Task<> accept_clients(std::unique_ptr<net::Listener> listener);
  net::Task<> sweep_pool();
  net::Task<> wind_up(Duration grace, std::function<void()> ended);

  const std::uint64_t index_;
  net::Network& network_;
  Shared& shared_;
  observe::MetricShard& metrics_;
  Random random_;
  std::shared_ptr<const Published> published_;
  std::size_t max_connections_;
  std::uint64_t requests_ = 0;
  bool draining_ = false;
  UpstreamPool pool_;
  BodyPool bodies_{kWarmBodies};
  std::unordered_map<RequestId, Ticket*, std::hash<RequestId>, std::equal_to<>,
                     PooledAllocator<std::pair<const RequestId, Ticket*>>>
      tickets_;
  net::IntrusiveList<IdleMark, &IdleMark::link_> idle_;  // longest idle first
  net::TaskGroup acceptors_;
  net::TaskGroup clients_;
  net::TaskGroup turned_away_;
  net::TaskGroup background_;
  net::TaskGroup ending_;
};

}  // namespace drover::gateway
