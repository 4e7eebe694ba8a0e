#include "balance/speed.h"

#include <algorithm>

namespace drover::balance {

void SpeedEstimate::observe(const SpeedSample& sample) {
  const double reading = seconds(sample.durations.prompt_eval);
  if (sample.read_tokens >= kFewTokens && reading > 0) observe_read(reading / sample.read_tokens);
  const double writing = seconds(sample.durations.eval);
  const auto tokens = static_cast<double>(sample.durations.eval_tokens);
  if (tokens > 1 && writing > 0) observe_token(writing / tokens, sample.batch);
}

void SpeedEstimate::observe_read(double time) {
  last_reads_[reads_++ % kReads] = time;
  const std::size_t count = std::min(reads_, kReads);
  std::array<double, kReads> sorted = last_reads_;
  std::ranges::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count));
  read_time_ = sorted[count < 3 ? 0 : 1];
}

void SpeedEstimate::observe_token(double time, double batch) {
  if (answers_ == 0) mean_time_ = time, mean_batch_ = batch;
  if (answers_ >= 3) {
    const double known = token_time(batch);
    time = std::clamp(time, known / kOutlier, known * kOutlier);
  }
  ++answers_;
  const double share = std::max(1 - kFade, 1 / static_cast<double>(answers_));
  const double from_mean = batch - mean_batch_;
  mean_batch_ += share * from_mean;
  covariance_ = (1 - share) * (covariance_ + share * from_mean * (time - mean_time_));
  batch_variance_ = (1 - share) * (batch_variance_ + share * from_mean * from_mean);
  mean_time_ += share * (time - mean_time_);
}

double SpeedEstimate::token_time(double batch) const {
  const double slope = (covariance_ + kPriorWeight * kPriorSlope * mean_time_) / (batch_variance_ + kPriorWeight);
  const double time = mean_time_ + std::max(0.0, slope) * (batch - mean_batch_);
  return std::max(time, mean_time_ / kOutlier);
}

}  // namespace drover::balance
