#include "balance/speed.h"

#include <algorithm>
#include <cmath>

namespace drover::balance {

SpeedSample faster(SpeedSample sample, double reading, double writing) {
  const auto divide = [](Duration& time, double by) {
    time = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds(time) / by));
  };
  divide(sample.durations.prompt_eval, reading);
  divide(sample.durations.eval, writing);
  return sample;
}

void SpeedEstimate::observe(const SpeedSample& sample) {
  const double reading = seconds(sample.durations.prompt_eval);
  if (sample.reading >= kFewTokens && reading > 0) reading_.add(sample.reading, reading);
  const double writing = seconds(sample.durations.eval);
  const auto tokens = static_cast<double>(sample.durations.eval_tokens);
  if (tokens > 1 && writing > 0) observe_token(writing / tokens, sample.batch);
}

void SpeedEstimate::observe_token(double time, double batch) {
  if (answers_ == 0) mean_time_ = time, mean_batch_ = batch;
  if (answers_ >= 3) {
    const double known = token_time(batch);
    time = std::clamp(time, known / kOutlier, known * kOutlier);
  }
  ++answers_;
  const double share = std::max(1 - fade_, 1 / static_cast<double>(answers_));
  const double from_mean = batch - mean_batch_;
  mean_batch_ += share * from_mean;
  covariance_ = (1 - share) * (covariance_ + share * from_mean * (time - mean_time_));
  batch_variance_ = (1 - share) * (batch_variance_ + share * from_mean * from_mean);
  mean_time_ += share * (time - mean_time_);
}

double SpeedEstimate::token_slope() const {
  const double slope = (covariance_ + kPriorWeight * kPriorSlope * mean_time_) / (batch_variance_ + kPriorWeight);
  return std::max(0.0, slope);
}

double SpeedEstimate::known_batch() const { return mean_batch_ + 2 * std::sqrt(batch_variance_) + 1; }

void SpeedEstimate::scale(double factor) {
  reading_.scale(factor);
  mean_time_ *= factor;
  covariance_ *= factor;
}

void Pace::restore(SpeedEstimate& speed) const {
  if (usual_.answers() < kEnough) return;
  const double batch = speed.mean_batch();
  speed.scale(std::min(1.0, usual_.token_time(batch) / speed.token_time(batch)));
}

std::optional<double> Pace::compare(const SpeedSample& sample) {
  const auto tokens = static_cast<double>(sample.durations.eval_tokens);
  if (tokens < kFewTokens || sample.durations.eval <= Duration{0}) return std::nullopt;
  double time = seconds(sample.durations.eval) / tokens;
  std::optional<double> times;
  if (usual_.answers() >= kEnough) {
    // Beyond what is known of its batches it may be that one answer more slows all as if they took turns.
    const double known = std::min(sample.batch, usual_.known_batch());
    const double usual = usual_.token_time(known) * sample.batch / known;
    times = time / usual;
    time = std::min(time, kMost * usual);
  }
  usual_.observe_token(time, sample.batch);
  return times;
}

}  // namespace drover::balance
