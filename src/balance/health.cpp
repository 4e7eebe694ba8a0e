#include "balance/health.h"

#include <algorithm>
#include <limits>

#include "balance/fading_rate.h"

namespace drover::balance {

std::string_view name(Health health) {
  switch (health) {
    case Health::stable: return "stable";
    case Health::degraded: return "degraded";
    case Health::offline: return "offline";
    case Health::recovering: return "recovering";
  }
  return "";
}

std::string_view name(HealthReason reason) {
  switch (reason) {
    case HealthReason::not_probed_yet: return "not_probed_yet";
    case HealthReason::probes_passed: return "probes_passed";
    case HealthReason::probes_failed: return "probes_failed";
    case HealthReason::requests_failed: return "requests_failed";
    case HealthReason::error_ratio: return "error_ratio";
    case HealthReason::last_capable: return "last_capable";
    case HealthReason::answers_slow: return "answers_slow";
    case HealthReason::interval_over: return "interval_over";
    case HealthReason::ramp_over: return "ramp_over";
    case HealthReason::clean_again: return "clean_again";
  }
  return "";
}

std::optional<HealthStep> HealthTracker::observe(Evidence evidence, bool last_capable, Mono now) {
  count(evidence, now);
  switch (state_) {
    case Health::stable:
    case Health::degraded: return while_up(evidence, last_capable, now);
    case Health::offline: return while_offline(now);
    case Health::recovering: return while_recovering(evidence, last_capable, now);
  }
  return std::nullopt;
}

void HealthTracker::count(Evidence evidence, Mono now) {
  const double fade = kept_after(now - counted_at_, settings_.window);
  recent_results_ *= fade;
  recent_failures_ *= fade;
  counted_at_ = now;
  switch (evidence) {
    case Evidence::probe_passed:
      ++probes_passed_;
      probes_failed_ = 0;
      break;
    case Evidence::probe_failed:
      ++probes_failed_;
      probes_passed_ = 0;
      break;
    case Evidence::served_as_usual:
    case Evidence::served_slowly:
      slow_answers_ = evidence == Evidence::served_slowly ? slow_answers_ + 1 : 0;
      last_slow_ = now;
      [[fallthrough]];
    case Evidence::request_served:
      recent_results_ += 1;
      requests_failed_ = 0;
      break;
    case Evidence::request_failed:
      recent_results_ += 1;
      recent_failures_ += 1;
      ++requests_failed_;
      break;
    case Evidence::time_passed:
      if (slow() && now - last_slow_ >= settings_.slow_memory) slow_answers_ = settings_.slow_answers - 1;
      break;
  }
}

double HealthTracker::failed_ratio() const {
  return recent_results_ < settings_.least_results ? 0 : recent_failures_ / recent_results_;
}

std::optional<HealthStep> HealthTracker::while_up(Evidence evidence, bool last_capable, Mono now) {
  if (probes_failed_ >= settings_.fall) return go_offline(HealthReason::probes_failed, now);

  const bool in_a_row = requests_failed_ >= settings_.consecutive_failures;
  const auto by_requests = in_a_row ? HealthReason::requests_failed : HealthReason::error_ratio;
  if (in_a_row || failed_ratio() >= settings_.offline_ratio) {
    if (evidence == Evidence::request_failed && !last_capable) return go_offline(by_requests, now);
    return move(Health::degraded, last_capable ? HealthReason::last_capable : by_requests, now);
  }

  if (probes_failed_ > 0 && probes_failed_ + 1 >= settings_.fall) {
    return move(Health::degraded, HealthReason::probes_failed, now);
  }
  if (requests_failed_ > 0 && requests_failed_ + 1 >= settings_.consecutive_failures) {
    return move(Health::degraded, HealthReason::requests_failed, now);
  }
  if (failed_ratio() >= settings_.degraded_ratio) return move(Health::degraded, HealthReason::error_ratio, now);
  if (slow()) return move(Health::degraded, HealthReason::answers_slow, now);

  const bool clean = probes_failed_ == 0 && requests_failed_ == 0 && failed_ratio() < settings_.degraded_ratio / 2;
  if (state_ == Health::degraded && clean) return move(Health::stable, HealthReason::clean_again, now);
  return std::nullopt;
}

std::optional<HealthStep> HealthTracker::while_offline(Mono now) {
  if (!ever_up_) {
    if (probes_failed_ > 0) why_ = HealthReason::probes_failed;
    if (probes_passed_ == 0) return std::nullopt;
    return move(Health::stable, HealthReason::probes_passed, now);
  }
  if (probes_failed_ >= settings_.fall) why_ = HealthReason::probes_failed;
  const bool by_probes = why_ == HealthReason::probes_failed;
  if (now < open_until_ || probes_failed_ > 0 || (by_probes && probes_passed_ < settings_.rise)) return std::nullopt;

  tried_by_probes_ = by_probes;
  ramp_began_.reset();
  requests_failed_ = slow_answers_ = 0;
  recent_results_ = recent_failures_ = 0;
  return move(Health::recovering, by_probes ? HealthReason::probes_passed : HealthReason::interval_over, now);
}

std::optional<HealthStep> HealthTracker::while_recovering(Evidence evidence, bool last_capable, Mono now) {
  switch (evidence) {
    case Evidence::probe_failed: return go_offline(HealthReason::probes_failed, now);
    case Evidence::request_failed:
      if (!last_capable) return go_offline(HealthReason::requests_failed, now);
      ramp_began_.reset();
      why_ = HealthReason::last_capable;
      return std::nullopt;
    case Evidence::request_served:
    case Evidence::served_as_usual:
    case Evidence::served_slowly:
      if (!ramp_began_) ramp_began_ = now;
      break;
    case Evidence::probe_passed:
      if (!ramp_began_ && tried_by_probes_) ramp_began_ = now;
      break;
    case Evidence::time_passed: break;
  }
  if (!ramp_began_ || ramp_step(now) < settings_.ramp_steps) return std::nullopt;
  return move(Health::stable, HealthReason::ramp_over, now);
}

std::optional<HealthStep> HealthTracker::go_offline(HealthReason why, Mono now) {
  open_until_ = now;
  if (why != HealthReason::probes_failed) {
    // An outage long after the last one is a new story.
    const bool up = state_ == Health::stable || state_ == Health::degraded;
    if (up && now - up_since_ > settings_.longest_open_interval) ejections_ = 0;
    const unsigned doublings = std::min(ejections_, 16U);
    open_until_ = after(now, std::min(settings_.open_interval * (1 << doublings), settings_.longest_open_interval));
    ++ejections_;
  }
  return move(Health::offline, why, now);
}

std::optional<HealthStep> HealthTracker::move(Health to, HealthReason why, Mono now) {
  why_ = why;
  if (to == state_) return std::nullopt;
  const Health from = state_;
  state_ = to;
  since_ = now;
  if (to == Health::stable) ever_up_ = true;
  if (to == Health::stable && from != Health::degraded) up_since_ = now;
  return HealthStep{.from = from, .to = to, .why = why};
}

unsigned HealthTracker::ramp_step(Mono now) const {
  return static_cast<unsigned>((now - *ramp_began_) / std::max(settings_.ramp_step, Duration{1}));
}

std::size_t HealthTracker::admission_limit(std::size_t slots, Mono now) const {
  switch (state_) {
    case Health::offline: return 0;
    case Health::recovering:
      if (!ramp_began_) return 1;
      return std::max<std::size_t>(1,
                                   (slots * (ramp_step(now) + 1) + settings_.ramp_steps) / (settings_.ramp_steps + 1));
    case Health::stable:
    case Health::degraded: break;
  }
  return std::numeric_limits<std::size_t>::max();
}

}  // namespace drover::balance
