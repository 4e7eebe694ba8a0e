#pragma once
// The health of one node: a state machine over probes and the results of requests.
//
//     stable <-> degraded -> offline -> recovering -> stable
//
// stable      full weight.
// degraded    some evidence against it, or its answers take much longer than is usual there: its weight is reduced.
// offline     the circuit is open: no request goes there.
// recovering  half open: one request at a time, a trial of the scheduler's own (Trial, events.h) if it can be had. When
// it
//             has served one (or passed another probe, if failed probes had taken it offline), a ramp (slow start,
//             fault row 114) gives it a growing share of its slots, so that a node that just came back is not flooded
//             by the queue.
//
// Rise and fall of probes as in HAProxy's checks; consecutive failures and the open interval that grows with repetition
// as in Envoy's outlier detection. How busy a node is never counts, and slowness never takes one offline: busy nodes
// are the goal.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"

namespace drover::balance {

enum class Health : std::uint8_t { stable, degraded, offline, recovering };
std::string_view name(Health health);

enum class HealthReason : std::uint8_t {
  not_probed_yet,   // offline since it was added: nothing is known of it
  probes_passed,    // the first probe of its life, or `rise` in a row
  probes_failed,    // several in a row
  requests_failed,  // several in a row
  error_ratio,      // too large a part of the recent requests failed
  last_capable,     // would be offline by its requests, but nobody else can serve one of its models
  answers_slow,     // several in a row took much longer than is usual there
  interval_over,    // it has been offline long enough to be tried again
  ramp_over,        // recovered
  clean_again,      // no evidence against it any more
};
std::string_view name(HealthReason reason);

struct HealthSettings {
  unsigned rise = 2;                  // passed probes in a row that end an outage
  unsigned fall = 3;                  // failed probes in a row that take a node offline; one fewer degrades it
  unsigned consecutive_failures = 3;  // failed requests in a row that do so; one fewer degrades it
  double degraded_ratio = 0.2;        // failed part of the recent requests; below half of it the node is clean again
  double offline_ratio = 0.5;
  double least_results = 10;                         // no ratio is judged from fewer recent requests
  Duration window = std::chrono::seconds(30);        // recent: the time constant by which results fade
  Duration open_interval = std::chrono::seconds(5);  // offline at least so long when requests failed; doubles each time
  Duration longest_open_interval = std::chrono::seconds(60);
  Duration ramp_step = std::chrono::seconds(1);
  unsigned ramp_steps = 5;  // 1/6 of its slots, 2/6, ... 5/6, then no limit
  bool trial = false;       // the scheduler begins a recovery with a request of its own (Trial), if it can
  double degraded_weight = 0.25;
  double slow_factor = 2.5;                         // times the usual time a token: such an answer was slow
  unsigned slow_answers = 3;                        // in a row that degrade it; 0: none do
  Duration slow_memory = std::chrono::seconds(60);  // without any, and one more is let through to see
};

// What was seen. A client's abort, a 'server busy' and an answer that blames the request are no evidence.
enum class Evidence : std::uint8_t {
  probe_passed,
  probe_failed,
  request_served,   // how fast is not known
  served_as_usual,  // as fast as others before
  served_slowly,    // by `slow_factor`
  request_failed,
  time_passed,
};

struct HealthStep {
  Health from;
  Health to;
  HealthReason why;
};

// Thread: its owner's. Cost of every call: O(1), no allocation.
class HealthTracker {
 public:
  explicit HealthTracker(const HealthSettings& settings) : settings_(settings) {}

  // The one step function. `last_capable`: no other node that is not offline can serve some model of this one; then
  // failed requests alone never take it offline. Returns the change, if there is one.
  std::optional<HealthStep> observe(Evidence evidence, bool last_capable, Mono now);

  Health state() const { return state_; }
  HealthReason why() const { return why_; }
  // When it took its present state.
  Mono since() const { return since_; }

  // How many requests it may have in flight, all models together. `slots`: how many it has room for.
  std::size_t admission_limit(std::size_t slots, Mono now) const;
  // Whether there is such a limit.
  bool limits() const { return state_ == Health::offline || state_ == Health::recovering; }
  // What its configured weight is multiplied by. `speed_counts`: whoever asks reckons with how fast it is already.
  double weight_factor(bool speed_counts) const {
    const bool counted = speed_counts && why_ == HealthReason::answers_slow;
    return state_ == Health::degraded && !counted ? settings_.degraded_weight : 1.0;
  }

  void set_settings(const HealthSettings& settings) { settings_ = settings; }

 private:
  void count(Evidence evidence, Mono now);
  std::optional<HealthStep> while_up(Evidence evidence, bool last_capable, Mono now);  // stable, degraded
  std::optional<HealthStep> while_offline(Mono now);
  std::optional<HealthStep> while_recovering(Evidence evidence, bool last_capable, Mono now);
  std::optional<HealthStep> go_offline(HealthReason why, Mono now);
  std::optional<HealthStep> move(Health to, HealthReason why, Mono now);
  double failed_ratio() const;
  bool slow() const { return settings_.slow_answers > 0 && slow_answers_ >= settings_.slow_answers; }
  unsigned ramp_step(Mono now) const;

  HealthSettings settings_;
  Health state_ = Health::offline;
  HealthReason why_ = HealthReason::not_probed_yet;
  Mono since_{};     // of the state
  Mono up_since_{};  // of the last recovery
  bool ever_up_ = false;
  unsigned probes_passed_ = 0;  // in a row; one of the two is zero
  unsigned probes_failed_ = 0;
  unsigned requests_failed_ = 0;  // in a row
  unsigned slow_answers_ = 0;     // in a row
  Mono last_slow_{};
  double recent_results_ = 0;  // fading counts, as of counted_at_
  double recent_failures_ = 0;
  Mono counted_at_{};
  unsigned ejections_ = 0;  // by failed requests, one soon after the other
  Mono open_until_{};
  bool tried_by_probes_ = false;    // recovering: a passed probe begins the ramp, too
  std::optional<Mono> ramp_began_;  // recovering
};

}  // namespace drover::balance
