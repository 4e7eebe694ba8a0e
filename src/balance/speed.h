#pragma once
// How fast a runner reads prompts and writes answers, learned from the durations in its final frames.
//
// Neither number can be taken as it is. A prompt that is read together with others reports the time of all, and even a
// short one takes a while: so the times of the last few are laid under a line over how much was read, of which the
// lower ones count (quantile_line.h). The time between tokens grows with how many answers are written at once, and with
// their contexts: it is a line over both together, fitted by least squares in which older answers count less and less.
// What lies far off is cut to a multiple of what was known, so that one bad answer is not believed and ten are.

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "balance/quantile_line.h"
#include "balance/slots.h"

namespace drover::balance {

// How much work it is to read what of a prompt is not in a cache. A token is read with a look at all before it, which
// costs as much as the rest of it once they are 25,000: 4 d l operations for each of them by the attention of l layers
// of width d, 24 d d l or less by the rest, with d of 3,000 to 8,000.
inline double reading_work(double prompt, double cached) {
  constexpr double kEachBefore = 1 / 25e3;
  const double read = prompt - cached;
  return read * (1 + kEachBefore * (cached + read / 2));
}

// How much an answer adds to the work of a step that writes one token of each answer, in answers without a context. A
// token looks at all before it, which costs as much as to be calculated at all once they are so many: the cards of
// engine/presets.h lie between 4,000 and 6,000.
inline double writing_weight(double context) { return 1 + context / 5e3; }

struct SpeedSample {
  NodeDurations durations;
  double reading = 0;  // reading_work()
  double batch = 1;    // answers written at once meanwhile, itself included, by writing_weight(); mean
};

// The same answer, had the node read so many times as fast and written so many times as fast.
SpeedSample faster(SpeedSample sample, double reading, double writing);

class SpeedEstimate {
 public:
  // `fade`: what an answer counts for when one more has come.
  explicit SpeedEstimate(double fade = 0.85) : fade_(fade) {}
  void observe(const SpeedSample& sample);
  // Of one answer: seconds a token.
  void observe_token(double time, double batch);

  bool knows_reading() const { return reading_.known(); }
  bool knows_writing() const { return answers_ > 0; }
  // Seconds; of nothing known, what a small card would do.
  double read_start() const { return reading_.offset(); }  // to begin with a prompt
  double read_time() const { return reading_.slope(); }    // for each unit of reading_work()
  // From one token of an answer to the next, beside so many; and how much of that is due to one of them.
  double token_time(double batch) const { return token_time_by(token_slope(), batch); }
  double token_slope() const;
  // The first of them, of a slope as that function gives it.
  double token_time_by(double slope, double batch) const {
    return std::max(mean_time_ + slope * (batch - mean_batch_), mean_time_ / kOutlier);
  }
  std::size_t answers() const { return answers_; }
  double mean_batch() const { return mean_batch_; }
  // All times are to be taken for so many times as long.
  void scale(double factor);
  // Of so many answers at once something was seen.
  double known_batch() const;

 private:
  static constexpr double kFewTokens = 32;     // a prompt of fewer says nothing
  static constexpr double kOutlier = 4;        // times what is known: the most that is believed
  static constexpr double kPriorSlope = 0.1;   // of the mean: what one more answer at once costs
  static constexpr double kPriorWeight = 0.5;  // answers that this counts for

  double fade_;
  QuantileLine reading_{0.001};

  std::size_t answers_ = 0;
  double mean_time_ = 0.03;
  double mean_batch_ = 1;
  double batch_variance_ = 0;
  double covariance_ = 0;
};

// How long the answers of a runner take, compared with what has been usual there for a long time.
class Pace {
 public:
  // How many times as long as usual a token of this answer took; nullopt: the answer is too short, or too little is
  // known of what is usual. From now on it is a part of that.
  std::optional<double> compare(const SpeedSample& sample);
  // What was learned of its slowness is forgotten: it is taken to be as fast as usual.
  void restore(SpeedEstimate& speed) const;

 private:
  static constexpr double kFade = 0.99;      // of a hundred answers
  static constexpr std::size_t kEnough = 8;  // answers that make a habit
  static constexpr double kFewTokens = 8;    // an answer of fewer says nothing
  static constexpr double kMost = 1.25;      // times as long as usual: what a slower one counts for

  SpeedEstimate usual_{kFade};
};

// A mean in which older values count less and less; the first ones as much as each other.
class FadingMean {
 public:
  explicit FadingMean(double first_guess, double share = 0.1) : value_(first_guess), share_(share) {}
  void add(double value) {
    if (count_ < 1 / share_) ++count_;
    value_ += (value - value_) / count_;
  }
  double value() const { return value_; }
  bool known() const { return count_ > 0; }

 private:
  double value_;
  double share_;  // of the newest value
  double count_ = 0;
};

}  // namespace drover::balance
