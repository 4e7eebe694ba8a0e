#include "balance/retry_budget.h"

#include <algorithm>

#include "base/check.h"

namespace drover::balance {

std::size_t RetryBudget::limit(std::size_t active) const {
  return std::max(settings_.least, static_cast<std::size_t>(settings_.share * static_cast<double>(active)));
}

bool RetryBudget::take(std::size_t active) {
  if (in_use_ >= limit(active)) return false;
  ++in_use_;
  return true;
}

void RetryBudget::give_back() {
  CHECK(in_use_ > 0);
  --in_use_;
}

}  // namespace drover::balance
