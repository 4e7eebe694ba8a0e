#pragma once
// The state of the scheduler and the one thing that is done with it: matching requests with places. The events of
// scheduler.h change the state and then ask for dispatch where something may have become possible.

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/xxh3.h"
#include "balance/decision_log.h"
#include "balance/lane.h"
#include "balance/node.h"
#include "balance/policy.h"
#include "balance/prefix_index.h"
#include "balance/request_table.h"
#include "balance/retry_budget.h"
#include "balance/route.h"
#include "balance/settings.h"
#include "balance/survey.h"

namespace drover::balance {

// So many requests of a line, from its front, are looked at when a slot is free.
inline constexpr std::size_t kLookahead = 16;
// And so many candidates of theirs, all together, where they are weighed against each other.
inline constexpr std::size_t kWeighed = 256;

class Dispatcher {
 public:
  Dispatcher(const SchedulerSettings& settings, std::uint64_t seed);
  void configure(const SchedulerSettings& settings);

  // The state, open to the events.
  SchedulerSettings settings;
  Tenants tenants;
  std::map<NodeId, Node> nodes;                    // addresses last
  std::map<std::string, Lane, std::less<>> lanes;  // addresses last
  RequestTable requests;
  Routes routes;
  RetryBudget budget;
  PrefixIndex prefixes;
  DecisionLog log;
  std::size_t waiting = 0;    // in all lines; every other request runs
  std::uint64_t unloads = 0;  // for leaked slots, ever; the last token

  // Which route the lane takes, and its places by it; to be asked whenever either is new.
  void find_route(Lane& lane) const;

  // ---- one request

  using Room = Survey::Room;
  // Looks at the places that `request` may use. best(), stranded() and consider_load() speak of the request surveyed
  // last, as long as nothing has changed since.
  Room survey(const Request& request, Mono now) { return survey_.look(request, settings, now); }

  struct Bound {
    Place* place;
    std::size_t candidate;
    Reason reason;
    Estimate estimate;
    PrefixIndex::Found found;
    std::optional<Mono> continues;  // PrefixIndex::continues
    double context;                 // Work::context
  };
  // Where it can start now, as the policy has it.
  std::optional<Bound> best(const Request& request, Mono now);
  // Why it can never start as things are: nobody healthy is left, or all have just failed to load its model.
  std::optional<Refused> stranded(Mono now) const;
  // What it asks for.
  const Work& work() const { return survey_.work(); }
  // Writes down what there was to choose from; what was chosen, where that is not among the best of many.
  void write_down(DecisionRecord& record, Mono now) const { survey_.write_down(record, now); }
  void include(const Bound& bound, DecisionRecord& record, Mono now) const {
    survey_.include(bound.candidate, record, now);
  }
  // So many requests wait of which no other look knew (Survey::promise_busy).
  void promise_busy(std::size_t count, Mono now) { survey_.promise_busy(count, now); }
  // It waits, and is looked at, behind `waiting_before` others: starts a load for it, or claims a runner, if that is
  // due.
  void consider_load(Request& request, std::size_t waiting_before, Mono now, Actions& actions);

  // A request of the scheduler's own starts on the node, on a model that is in memory there. False: there is none with
  // a free slot.
  bool start_trial(Node& node, Mono now, Actions& actions);

  // What becomes of the context that it names, where it starts.
  ContextFit fit_on(const Place& place, const Request& request) const;
  // Gives it a slot. `waited`: it stood in the line until now.
  void start(Request& request, const Bound& bound, bool waited, Mono now);
  void join_line(Request& request, Mono now);
  void leave_line(Request& request);
  // Frees the slot. `tokens`: that it took (served_tokens).
  void stop(Request& request, double tokens, Mono now);
  void release_claim(Request& request);
  // Neither waits nor runs any more.
  void forget(Request& request);
  void refuse(Request& request, const Refused& refused, Mono now, Actions& actions);

  // ---- requests that wait

  // Of the whole line, the first that can use the runner as it was loaded, if it can start now.
  void start_first_on(const Runner& runner, Lane& lane, Mono now, Actions& actions);

  // Slots of `runner` may be free, or it may be idle: looks at the lanes that it serves.
  void dispatch_runner(Node& node, const Runner& runner, Mono now, Actions& actions);
  // Anything on the node may have changed for the better.
  void dispatch_node(Node& node, Mono now, Actions& actions);
  void dispatch_lane(Lane& lane, Mono now, Actions& actions);
  // Something on the node changed for the worse: sends away who has nowhere to go any more, and dispatches the rest,
  // which may need a load elsewhere now.
  void reroute(Node& node, Mono now, Actions& actions);
  void refuse_stranded(Lane& lane, Mono now, Actions& actions);
  // Refuses, of all that wait, up to `most` whose time is over.
  void expire(Mono now, std::size_t most, Actions& actions);
  Mono next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }
  // Looks again at up to `most` lanes with waiting requests, in turn: for all that changes by time alone.
  void look_again(std::size_t most, Mono now, Actions& actions);

  // Of the model, made if there is none yet.
  Lane& lane_of(const std::string& model);
  Lane* find_lane(std::string_view model);  // null: there is none
  void end_load(Node& node);
  // A load that was decided is asked for, once the model that makes room is idle; or given up, if the request for which
  // it was decided does not wait any more, or the node cannot serve it any more.
  void resume_load(Node& node, Mono now, Actions& actions);
  // Gone, if nothing of it is left; to be asked whenever it may have lost its last place, request or load.
  void forget_if_empty(Lane& lane);
  // When a client whose request found no place may come back: by how fast all lines move.
  Duration retry_after(Mono now) const;
  // The same of one that would have joined this line.
  Duration retry_after(const Lane& lane, Tenant& tenant, Priority priority, Mono now) const;
  // Until the request surveyed last starts, if it is known how fast its line moves.
  std::optional<Duration> expected_wait(const Request& request, Mono now) const;

 private:
  // Both, of one that waited.
  void write_down(const Request& request, const Bound& bound, Mono now);
  // The request surveyed last waits for this candidate: who comes behind it reckons with that, in the same look.
  void promise(std::size_t candidate, Mono now);
  void grant(Request& request, const Bound& bound, Mono now, Actions& actions);
  // The request surveyed last, where the policy has a place for it. False: it has none now.
  bool grant_surveyed(Request& request, Mono now, Actions& actions);
  // How long a request may wait by choice: not until its place in line is over.
  Duration patience() const;
  Room fill_slots(Lane& lane, Mono now, Actions& actions);
  Room fill_in_order(Lane& lane, Mono now, Actions& actions);
  Room fill_by_estimate(Lane& lane, Mono now, Actions& actions);
  // Slots are free, yet those at the front would rather wait for better ones. Who comes last has the longest wait, and
  // may be better off there.
  void fill_from_behind(Lane& lane, Mono now, Actions& actions);
  void consider_loads(Lane& lane, Mono now, Actions& actions);
  void dispatch_collected(Mono now, Actions& actions);
  // `goes`: makes room for it; null: nothing has to.
  void start_load(const Request& request, Place& place, const Served* goes, Mono now, Actions& actions);
  // It was loaded a short while ago, others wait for it, and `instead` has not yet waited for as long as it may.
  bool stays(const Served& served, const Request& instead, Mono now) const;
  void ask_for_load(Node& node, Mono now, Actions& actions);
  // At a time: a large fleet would else need minutes until a model that is wanted everywhere is everywhere.
  unsigned most_loads(const Lane& lane) const;

  struct NameHash {
    std::size_t operator()(std::string_view name) const { return api::xxh3(name); }
  };
  std::unordered_map<std::string_view, Lane*, NameHash> by_name_;  // `lanes`, to be found at once
  Lane* found_ = nullptr;                                          // last: requests for one model come in runs

  Survey survey_;
  Random random_;
  std::set<std::pair<Mono, RequestId>> deadlines_;  // of those that wait
  std::uint64_t loads_ = 0;                         // started ever; the last token
  std::uint64_t trials_ = 0;                        // started ever
  std::string looked_at_;                           // the lane where look_again() stopped
  FadingCount ends_{std::chrono::seconds(30)};      // of requests

  std::vector<Lane*> to_dispatch_;  // scratch, kept for its capacity
};

}  // namespace drover::balance
