#pragma once
// What an answer must keep to so that it counts as goodput.

#include <string_view>
#include <vector>

#include "load/comparison.h"
#include "load/figure.h"

namespace drover::load {

class Goal {
 public:
  // `ttft<2s,tpot<100ms`: all of them must hold. Error (invalid): what it cannot read, and what is allowed.
  static Result<Goal> parse(std::string_view text);

  // A whole answer within all limits. One without a figure (a single token has no time per token) is within its limit.
  bool met(const Outcome& outcome) const;

 private:
  struct Limit {
    Figure figure;
    Relation relation;
    Duration time;
  };
  std::vector<Limit> limits_;
};

}  // namespace drover::load
