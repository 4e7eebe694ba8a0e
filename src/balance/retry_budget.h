#pragma once
// Bounds how many of the active requests may be retries, so that a fleet in trouble is not made worse by them
// (Envoy's retry budget: concurrent retries at most 20 % of the active requests, at least 3).

#include <cstddef>

namespace drover::balance {

struct RetryBudgetSettings {
  double share = 0.2;
  std::size_t least = 3;
};

class RetryBudget {
 public:
  explicit RetryBudget(const RetryBudgetSettings& settings) : settings_(settings) {}

  // `active`: requests in flight or waiting, without the one that asks. True: a retry is under way until give_back().
  bool take(std::size_t active);
  void give_back();

  std::size_t in_use() const { return in_use_; }
  std::size_t limit(std::size_t active) const;
  void set_settings(const RetryBudgetSettings& settings) { settings_ = settings; }

 private:
  RetryBudgetSettings settings_;
  std::size_t in_use_ = 0;
};

}  // namespace drover::balance
