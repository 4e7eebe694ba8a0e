#pragma once
// Several policies over several seeds, the same ones for all.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "replay/run.h"

namespace drover::replay {

struct Plan {
  std::vector<std::string> policies;  // the first one is what the others are compared with
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 1;
  std::size_t jobs = 1;  // replays at a time, each on a thread
};

struct Results {
  struct Policy {
    std::string name;
    std::vector<Figures> runs;  // by seed
    std::size_t base = 0;       // of `policies`: what it is compared with
  };
  std::uint64_t first_seed = 1;
  std::vector<Policy> policies;
};

// `done`: called after each replay, with how many have ended; one call at a time.
Results compare(const Scenario& scenario, const Plan& plan, const std::function<void(std::size_t)>& done);

// The mean over the seeds. NaN where a seed has none, infinity where one has.
double mean_of(const Results::Policy& policy, const Figure& figure);

struct Interval {
  double mean, low, high;
};
// How much larger a figure is than that of what it is compared with, as a part of the latter: the mean over seeds, and
// between which bounds it lies with a probability of 95 %. nullopt: some seed's figure is no number, or zero in `base`.
std::optional<Interval> against(const Results::Policy& base, const Results::Policy& other, const Figure& figure);

// The percentile bootstrap (Efron: Bootstrap methods, Annals of Statistics 1979) of the mean, 95 %. `values`: not
// empty.
Interval bootstrap_mean(std::span<const double> values, Random random);

}  // namespace drover::replay
