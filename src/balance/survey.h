#pragma once
// A look at the places of a lane for one request: who is a candidate, how far each is from starting it, what it would
// cost there. The candidates are the lane's own and are kept between looks (Lane::candidates): a look brings up to date
// those whose node has changed since (Node::version) or for which time has run out, so that with a thousand nodes it
// costs a few dozen instructions each. A request that may not use all of them, or wants other options than a node's
// own, has a list of its own.
//
// Speaks of the request of the last look, as long as nothing has changed since.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "balance/decision_log.h"
#include "balance/estimate.h"
#include "balance/lane.h"
#include "balance/node.h"
#include "balance/prefix_index.h"
#include "balance/request_table.h"
#include "balance/settings.h"

namespace drover::balance {

class Survey {
 public:
  explicit Survey(PrefixIndex& prefixes) : prefixes_(prefixes) {}

  // What it showed of all places of the lane, whatever the one request wants.
  struct Room {
    bool free_slot = false;  // of some resident runner
    bool loadable = false;   // some place could load, or could be claimed
  };
  Room look(const Request& request, const SchedulerSettings& settings, Mono now);

  // Those that are `absent` are none. With an estimating policy each has its cost.
  std::span<const Candidate> candidates() const { return own_ ? std::span(special_) : std::span(lane_->candidates); }
  Place& place(std::size_t candidate) const { return own_ ? *special_places_[candidate] : lane_->places[candidate]; }
  std::size_t usable() const { return usable_; }                       // how many are not absent
  bool all_ready() const { return !own_ && lane_->ready == usable_; }  // all that are not absent
  const Work& work() const { return work_; }
  Estimate estimate(std::size_t candidate, Mono now) const;
  PrefixIndex::Found found(std::size_t candidate) const { return prefixes_.found(place(candidate).runner->cache); }

  // Writes down the candidates, or of many the best: those that a policy would look at, by cost.
  void write_down(DecisionRecord& record, Mono now) const;
  // And this one in any case.
  void include(std::size_t candidate, DecisionRecord& record, Mono now) const;

  // Requests like it that the candidates could end in a second, all slots in use. For policies that estimate.
  double capacity(Mono now) const;

  // So many seconds of work wait for this candidate: who comes behind reckons with them, until forget_promises().
  void promise(std::size_t candidate, double work);
  // So many requests of which no other look knew wait for those that are busy, each for who will have it soonest.
  void promise_busy(std::size_t count, Mono now);
  void forget_promises() { ++promises_; }

 private:
  void refresh(Lane& lane, std::size_t candidate, const SchedulerSettings& settings, Mono now);
  void refresh_changed(Lane& lane, const SchedulerSettings& settings, Mono now);
  void list_for(const Request& request, const SchedulerSettings& settings, Mono now);
  void price_all(const Request& request, Mono now);
  // Those of its place, or where the request needs something else of it, `own` ones.
  const Prices& prices(std::size_t candidate, Mono now, Prices& own) const;
  double cached(const Runner& runner) const { return any_cached_ ? prefixes_.found(runner.cache).bytes : 0; }
  double ahead(const Runner& runner) const { return last_promise_ == promises_ ? promised(runner) : 0; }
  void write_down(std::size_t candidate, Option& option, Mono now) const;
  void write_down_each(DecisionRecord& record, Mono now) const;
  void write_down_best(DecisionRecord& record, Mono now) const;
  double promised(const Runner& runner) const { return runner.promised_at == promises_ ? runner.promised : 0; }

  PrefixIndex& prefixes_;
  Lane* lane_ = nullptr;
  Work work_;
  double goal_ = 0;   // seconds until a first token
  bool own_ = false;  // the request has a list of its own
  bool any_cached_ = false;
  std::size_t usable_ = 0;
  std::uint64_t promises_ = 1;  // Runner::promised_at
  std::uint64_t last_promise_ = 0;

  // Scratch, kept for its capacity.
  std::vector<Candidate> special_;
  std::vector<Place*> special_places_;
};

}  // namespace drover::balance
