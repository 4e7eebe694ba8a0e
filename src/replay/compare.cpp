#include "replay/compare.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

namespace drover::replay {
namespace {

constexpr std::size_t kResamples = 10'000;

}  // namespace

Results compare(const Scenario& scenario, const Plan& plan, const std::function<void(std::size_t)>& done) {
  Results results{.first_seed = plan.first_seed, .policies = {}};
  for (const std::string& policy : plan.policies) {
    results.policies.push_back({.name = policy, .runs = std::vector<Figures>(plan.seeds)});
  }
  const std::size_t all = plan.policies.size() * plan.seeds;
  std::atomic<std::size_t> next = 0;
  std::mutex telling;
  std::size_t ended = 0;
  const auto work = [&] {
    for (std::size_t i; (i = next++) < all;) {
      Results::Policy& policy = results.policies[i % plan.policies.size()];
      const std::size_t seed = i / plan.policies.size();
      policy.runs[seed] = replay(scenario, policy.name, plan.first_seed + seed);
      const std::lock_guard lock(telling);
      done(++ended);
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < std::min(plan.jobs, all); ++i) threads.emplace_back(work);
  work();
  threads.clear();
  return results;
}

double mean_of(const Results::Policy& policy, const Figure& figure) {
  double sum = 0;
  for (const Figures& run : policy.runs) sum += figure.of(run);
  return sum / static_cast<double>(policy.runs.size());
}

std::optional<Interval> against(const Results::Policy& base, const Results::Policy& other, const Figure& figure) {
  std::vector<double> changes;
  for (std::size_t i = 0; i < base.runs.size(); ++i) {
    const double was = figure.of(base.runs[i]);
    const double change = (figure.of(other.runs[i]) - was) / was;
    if (!std::isfinite(change)) return std::nullopt;
    changes.push_back(change);
  }
  return bootstrap_mean(changes, Random(changes.size()));
}

Interval bootstrap_mean(std::span<const double> values, Random random) {
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  std::vector<double> means(kResamples);
  for (double& mean : means) {
    double resampled = 0;
    for (std::size_t i = 0; i < values.size(); ++i) resampled += values[random.below(values.size())];
    mean = resampled / count;
  }
  std::ranges::sort(means);
  const auto at = [&](double part) { return means[static_cast<std::size_t>(part * (kResamples - 1))]; };
  return {.mean = sum / count, .low = at(0.025), .high = at(0.975)};
}

}  // namespace drover::replay
