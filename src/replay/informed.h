#pragma once
// What could be had by knowing everything: a queue and a rule like ours (late binding, earliest finish and what others
// lose by it, waiting for a better node within the spill delay, its own loads), told the true speed of each machine,
// the length of each answer and what is in each cache. A reference, not a policy: nothing but a simulation can tell so
// much.

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "balance/estimate.h"
#include "engine/step.h"
#include "replay/ideal_cache.h"
#include "replay/router.h"
#include "replay/scheduled.h"

namespace drover::replay {

struct InformedSettings {
  balance::SchedulerSettings scheduler{};  // the queue's bounds, the spill delay, loads at a time
  bool pooled = false;                     // all nodes read from one cache as large as theirs together
  // A tenant whose requests go before all others that wait; what runs is not disturbed.
  std::optional<std::size_t> first{};
};

class Informed final : public Router {
 public:
  Informed(const Stage& stage, const Fleet& fleet, const Workload& workload, const InformedSettings& settings);

  void arrived(Stage& stage, std::size_t request) override;
  void first_token(Stage& stage, std::size_t request) override;
  void ended(Stage& stage, std::size_t request, bool ok, const balance::NodeDurations& durations) override;
  void loaded(Stage& stage, std::uint64_t token, bool ok) override;
  Mono next() const override;
  void wake(Stage& stage) override;

 private:
  // One that runs, as far along as its node's speed has taken it.
  struct Running {
    std::size_t request;
    std::size_t model;
    double reading;  // seconds, alone
    double tokens;   // to be written
    double context;  // tokens, at the mean
  };
  struct Place {
    std::vector<engine::StepCosts> costs;  // by model; of those that it holds
    std::vector<Duration> load_times;      // by model
    std::vector<Mono> used;                // by model: its last start there
    std::vector<Running> running;
    Mono as_of{};  // of `running`
    std::optional<std::size_t> loading{};
    Mono loading_since{};
    bool evicting = false;
    double promised = 0;  // seconds of work that wait for it, while a line is looked at
  };
  enum class State : std::uint8_t { ready, busy, cold };
  // In seconds.
  struct Estimate {
    State state;
    double wait, load, work, saved, harm;
    double cost() const { return balance::kWaitPrice * wait + load + work + harm; }
  };
  struct Waiting {
    std::size_t request;
    Mono until;                           // then it is refused
    std::optional<std::uint32_t> pooled;  // tokens that the pooled cache had when it came
  };
  using Line = std::deque<Waiting>;
  struct Choice {
    std::size_t place;
    Estimate estimate;
  };

  void advance(Place& place, Mono now) const;
  double step(const Place& place, std::size_t model, double batch, double context) const;
  double read(const Place& place, std::size_t model, double prompt, double cached) const;
  double eviction(const Stage& stage, std::size_t node, std::size_t model) const;
  bool evicts(const Stage& stage, std::size_t node, std::size_t model) const;
  std::optional<Estimate> estimate(const Stage& stage, std::size_t node, const Waiting& waiting) const;
  std::optional<Choice> choose(Stage& stage, const Waiting& waiting);
  bool is_first(const Stage& stage, std::size_t request) const;
  bool make_room(Stage& stage);
  void dispatch(Stage& stage);
  bool dispatch_line(Stage& stage, std::size_t model);
  void promise_for(double requests);
  void start(Stage& stage, Line& line, std::size_t index, const Choice& choice);

  InformedSettings settings_;
  std::vector<Place> places_;
  std::vector<Line> lines_;          // by model
  std::vector<unsigned> loads_;      // under way, by model
  std::vector<PooledCache> pooled_;  // by model; empty: each node has its own
  std::size_t waiting_ = 0;
  Mono look_again_ = kNever;
};

}  // namespace drover::replay
