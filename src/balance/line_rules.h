#pragma once
#include "base/clock.h"

namespace drover::balance {

// When the order departs from first come, first served.
struct LineRules {
  Duration aging = std::chrono::seconds(30);          // the longest wait of a lower class before it gets a share
  Duration in_time = std::chrono::milliseconds(600);  // a wait up to this is in time

  friend bool operator==(const LineRules&, const LineRules&) = default;
};

}  // namespace drover::balance
