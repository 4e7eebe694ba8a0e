#include "gateway/shared_scheduler.h"

namespace drover::gateway {
namespace {

template <typename... Visits>
struct Overloaded : Visits... {
  using Visits::operator()...;
};

}  // namespace

balance::Decision SharedScheduler::submit(const balance::Submission& submission, const ReloadOptions& options) {
  balance::Actions actions;
  balance::Decision decision;
  {
    std::lock_guard lock(mutex_);
    balance::Submission known = submission;
    if (known.need.fingerprint != 0 && !options_.contains(known.need.fingerprint)) {
      if (options_.size() < kMaxOptions) {
        options_.emplace(known.need.fingerprint, options);
      } else {
        known.need.fingerprint = 0;  // too many sets to remember: the node loads by itself what this request asks for
      }
    }
    decision = scheduler_.submit(known, actions);
  }
  carry_out(actions, worker_of(submission.request));
  return decision;
}

void SharedScheduler::finished(RequestId request, NodeId node, const balance::Outcome& outcome,
                               const std::optional<balance::NodeDurations>& durations, Mono now) {
  balance::Actions actions;
  {
    std::lock_guard lock(mutex_);
    scheduler_.finished(request, node, outcome, durations, now, actions);
  }
  carry_out(actions, worker_of(request));
}

void SharedScheduler::cancelled(RequestId request, Mono now) {
  balance::Actions actions;
  {
    std::lock_guard lock(mutex_);
    scheduler_.cancelled(request, now, actions);
  }
  carry_out(actions, worker_of(request));
}

bool SharedScheduler::waits_in_vain(RequestId request, Mono now) {
  std::lock_guard lock(mutex_);
  return scheduler_.waits_in_vain(request, now);
}

void SharedScheduler::change(const std::function<void(balance::Scheduler&, balance::Actions&)>& change) {
  balance::Actions actions;
  {
    std::lock_guard lock(mutex_);
    change(scheduler_, actions);
  }
  carry_out(actions, kNobody);
}

balance::Snapshot SharedScheduler::snapshot(Mono now) {
  constexpr std::size_t kAtOnce = 4;  // nodes, models or tenants: workers wait for the lock meanwhile
  balance::Snapshot snapshot;
  for (bool more = true; more;) {
    std::lock_guard lock(mutex_);
    more = scheduler_.add_to(snapshot, kAtOnce, now);
  }
  return snapshot;
}

balance::DecisionSearch SharedScheduler::decisions(std::string_view name) {
  constexpr std::size_t kAtOnce = 16;  // records: workers wait for the lock meanwhile
  balance::DecisionSearch search{.name = std::string(name)};
  for (bool more = true; more;) {
    std::lock_guard lock(mutex_);
    more = scheduler_.look(search, kAtOnce);
  }
  return search;
}

void SharedScheduler::note_load(NodeId node, std::string_view model, Mono began, Mono ended) {
  std::lock_guard lock(mutex_);
  last_loads_[node] = {std::string(model), began, ended};
}

Duration SharedScheduler::loading_time(NodeId node, std::string_view model, Mono since) {
  std::lock_guard lock(mutex_);
  const auto found = last_loads_.find(node);
  if (found == last_loads_.end() || found->second.model != model) return Duration{0};
  return std::max(Duration{0}, found->second.ended - std::max(found->second.began, since));
}

void SharedScheduler::carry_out(balance::Actions& actions, std::size_t caller) {
  for (balance::Action& action : actions) {
    std::visit(Overloaded{
                   [&](const balance::Grant& grant) {
                     WorkerEntry& worker = workers_[worker_of(grant.request)];
                     if (worker_of(grant.request) == caller) return worker.sink.granted(grant);
                     worker.loop.post([&sink = worker.sink, grant] { sink.granted(grant); });
                   },
                   [&](const balance::Refuse& refuse) {
                     WorkerEntry& worker = workers_[worker_of(refuse.request)];
                     if (worker_of(refuse.request) == caller) return worker.sink.refused(refuse);
                     worker.loop.post([&sink = worker.sink, refuse] { sink.refused(refuse); });
                   },
                   [&](balance::Load& load) {
                     std::string options;
                     {
                       std::lock_guard lock(mutex_);
                       const auto found = options_.find(load.need.fingerprint);
                       options =
                           load_members(found == options_.end() ? ReloadOptions{} : found->second, load.need.context);
                     }
                     control_loop_->post([sink = control_, moved = std::move(load),
                                          text = std::move(options)]() mutable { sink->load(moved, std::move(text)); });
                   },
                   [&](const balance::HealthChange& health) {
                     control_loop_->post([sink = control_, health] { sink->health_changed(health); });
                   },
                   [&](const balance::Trial& trial) {
                     control_loop_->post([sink = control_, trial] { sink->try_node(trial); });
                   },
                   [&](const balance::Unload& unload) {
                     control_loop_->post([sink = control_, unload] { sink->unload(unload); });
                   },
               },
               action);
  }
}

}  // namespace drover::gateway
