#pragma once
// The one lock of the data path: the scheduler, shared by all workers. A pure object behind a mutex that is held for
// about a microsecond per decision; what was decided for others is posted to their loops after it is released.

#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "balance/scheduler.h"
#include "gateway/reload_options.h"
#include "net/loop.h"

namespace drover::gateway {

// Request ids carry the worker that a request lives on, so that its grant finds the way back.
inline constexpr int kWorkerShift = 48;
inline constexpr std::size_t worker_of(RequestId request) {
  return static_cast<std::size_t>(request.value >> kWorkerShift);
}

// Where a worker learns what became of its queued requests. Called on the worker's loop.
class GrantSink {
 public:
  virtual void granted(const balance::Grant& grant) = 0;
  virtual void refused(const balance::Refuse& refuse) = 0;

 protected:
  ~GrantSink() = default;
};

// What the control loop carries out. Called on its loop.
class ControlSink {
 public:
  // `options`: the reload options to load with (load_members).
  virtual void load(const balance::Load& load, std::string options) = 0;
  virtual void health_changed(const balance::HealthChange& change) = 0;
  virtual void try_node(const balance::Trial& trial) = 0;
  virtual void unload(const balance::Unload& unload) = 0;

 protected:
  ~ControlSink() = default;
};

// Any thread, after the loops were added.
class SharedScheduler {
 public:
  SharedScheduler(const balance::SchedulerSettings& settings, std::uint64_t seed) : scheduler_(settings, seed) {}

  // In the order of worker indices; before any worker runs.
  void add_worker(net::Loop& loop, GrantSink& sink) { workers_.push_back({loop, sink}); }
  void set_control(net::Loop& loop, ControlSink& sink) {
    control_loop_ = &loop;
    control_ = &sink;
  }

  // Called by the worker that the request lives on. `options`: those of its need; kept while a load may need them.
  balance::Decision submit(const balance::Submission& submission, const ReloadOptions& options);
  void finished(RequestId request, NodeId node, const balance::Outcome& outcome,
                const std::optional<balance::NodeDurations>& durations, Mono now);
  void cancelled(RequestId request, Mono now);
  bool waits_in_vain(RequestId request, Mono now);

  // Called by the control loop.
  void change(const std::function<void(balance::Scheduler&, balance::Actions&)>& change);
  balance::Snapshot snapshot(Mono now);
  // What is remembered about the request of this name (balance::DecisionSearch).
  balance::DecisionSearch decisions(std::string_view name);
  // A load of ours has ended.
  void note_load(NodeId node, std::string_view model, Mono began, Mono ended);

  // How much of the time since `since` the node spent on loading this model, if that was the last it loaded.
  Duration loading_time(NodeId node, std::string_view model, Mono since);

 private:
  struct WorkerEntry {
    net::Loop& loop;
    GrantSink& sink;
  };
  struct LastLoad {
    std::string model;
    Mono began;
    Mono ended;
  };
  static constexpr std::size_t kNobody = SIZE_MAX;
  static constexpr std::size_t kMaxOptions = 4096;  // distinct option sets remembered for loads

  // Takes the actions out of the scheduler's hands, without the lock. `caller`: the worker that is asking.
  void carry_out(balance::Actions& actions, std::size_t caller);

  std::mutex mutex_;
  balance::Scheduler scheduler_;                              // guarded by mutex_
  std::unordered_map<std::uint64_t, ReloadOptions> options_;  // by fingerprint; guarded by mutex_
  std::unordered_map<NodeId, LastLoad> last_loads_;           // guarded by mutex_
  std::vector<WorkerEntry> workers_;
  net::Loop* control_loop_ = nullptr;
  ControlSink* control_ = nullptr;
};

}  // namespace drover::gateway
