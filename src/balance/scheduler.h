#pragma once
// The scheduler: which request runs on which node, and when. Events in, decisions out; `now` is an argument. No I/O, no
// clock, no thread, no lock: the gateway keeps it behind its one mutex, the simulator and the planner call it as it is.
//
// Late binding: a node that is full queues inside itself, unseen and without bound, so a request never goes to a (node,
// runner) that has as many in flight as slots. It waits here, in the line of its model, and is bound when a slot is
// free. A line has an order (line.h); a freed slot looks at the first 16 of it, so that a request which cannot use it
// (wrong options, excluded node) does not keep it idle. Models do not block one another.
//
// A request's life here: submit -> Start, or Queued and later Grant or Refuse, or Refused. After Start or Grant the
// caller owes exactly one finished() or cancelled(). To repeat a failed attempt: finished(), then submit() again.
//
// Every call appends what else was decided to `actions`, in a deterministic order; the caller carries it out after it
// has let go of the lock. Cost: O(candidates of the model) per decision; no allocation while nothing waits.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "balance/decision_log.h"
#include "balance/events.h"
#include "balance/settings.h"
#include "balance/snapshot.h"
#include "base/clock.h"

namespace drover::balance {

class Dispatcher;

class Scheduler {
 public:
  // `seed`: of what policies draw.
  explicit Scheduler(const SchedulerSettings& settings, std::uint64_t seed = 0);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Takes effect from the next decision on; what waits or runs is not disturbed.
  void update_settings(const SchedulerSettings& settings);

  // Adds a node (offline until its first probe passes) or changes it. One that was removed comes back with the counts
  // of what still runs there. Does not end a drain.
  void update_node(const NodeSpec& spec, Mono now, Actions& actions);
  // A draining node takes no new request; what runs there finishes. `false` ends the drain.
  void drain(NodeId node, bool draining, Mono now, Actions& actions);
  // Like a drain without return; its inventory is forgotten.
  void remove_node(NodeId node, Mono now, Actions& actions);

  // All that a node can serve, from polls: replaces what was known. `asked`: when the poll was sent. Own knowledge
  // leads: a load that ended after `asked` or is under way, and models with requests in flight, are not called cold by
  // it.
  void observe_inventory(NodeId node, std::span<const ModelOnNode> models, Mono asked, Mono now, Actions& actions);
  void probed(NodeId node, const ProbeResult& result, Mono now, Actions& actions);
  // What the node's agent says of its GPUs. Used by the policy gpu_score until it is too old.
  void observe_gpu(NodeId node, GpuLoad load, Mono now);
  // Begins a Trial there, whatever its health. False: it is offline, or no model in its memory has a free slot.
  bool try_node(NodeId node, Mono now, Actions& actions);

  Decision submit(const Submission& submission, Actions& actions);
  // The attempt on `node` ended: frees the slot, judges the node, learns its slots. `durations`: of the final frame.
  // After a 'server busy' its load queue is full: no loads there for a while; its warm models go on.
  void finished(RequestId request, NodeId node, const Outcome& outcome, const std::optional<NodeDurations>& durations,
                Mono now, Actions& actions);
  // The client left while it waited: out of the line, or, if a grant is already on its way, its slot is free again and
  // the grant void. A request that was refused meanwhile is unknown here, which is no error.
  void cancelled(RequestId request, Mono now, Actions& actions);
  // To be asked each few seconds for a request that runs and has had no byte of its answer. True: it waits in vain
  // (leak.h): finished() and submit() again.
  bool waits_in_vain(RequestId request, Mono now);
  // The end of an Unload; `done`: the model is gone, or will be. Unknown tokens are ignored.
  void unloaded(UnloadToken token, bool done, Mono now, Actions& actions);
  // The end of a Load. Unknown tokens (of nodes removed meanwhile) are ignored.
  void loaded(LoadToken token, const LoadOutcome& outcome, Mono now, Actions& actions);

  // About every 100 ms: deadlines, health timers, and a second look at a few lines. Bounded work.
  void tick(Mono now, Actions& actions);
  // When the first of those that wait has waited too long, and tick() refuses it; kNever: nobody waits.
  Mono next_deadline() const;

  Snapshot snapshot(Mono now) const;
  // Adds to a snapshot up to `most` nodes, models and tenants that it does not have yet; an empty one is the beginning.
  // False: it is whole.
  bool add_to(Snapshot& snapshot, std::size_t most, Mono now) const;
  // Looks for the decisions about a request, among up to `most` of those that are remembered. False: the search is
  // over.
  bool look(DecisionSearch& search, std::size_t most) const;
  const SchedulerSettings& settings() const;

 private:
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace drover::balance
