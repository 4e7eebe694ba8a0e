#include "calibrate/fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "calibrate/least_squares.h"

namespace drover::calibrate {
namespace {

using engine::Cost;
using engine::StepCosts;

// Costs are fitted as logarithms, so that none becomes negative.
constexpr double kStep = 0.02;     // of a derivative: two percent
constexpr double kOutlier = 0.05;  // a time that is further off than five percent counts as an outlier
// A guess is worth a measurement that is off by its whole size: it decides only where nothing else does.
constexpr double kTrustInGuess = 0.03;
constexpr int kTurns = 4;  // of least squares, the order of requests chosen anew between them
// Answers of fewer tokens say too little of decoding.
constexpr std::uint32_t kLeastAnswer = 8;

std::vector<Cost*> members(StepCosts& costs) {
  std::vector<Cost*> all;
  for (Cost& each : costs.few_rows) all.push_back(&each);
  for (Cost* each : {&costs.many_rows, &costs.row, &costs.pair_alone, &costs.pair_one, &costs.pair_few,
                     &costs.pair_tiled, &costs.handover, &costs.copy})
    all.push_back(each);
  return all;
}

std::vector<double> to_parameters(StepCosts costs) {
  std::vector<double> parameters;
  for (const Cost* each : members(costs)) parameters.push_back(std::log(each->count()));
  return parameters;
}

StepCosts to_costs(const std::vector<double>& parameters, std::size_t few_rows) {
  StepCosts costs{.few_rows = std::vector<Cost>(few_rows)};
  const std::vector<Cost*> all = members(costs);
  for (std::size_t i = 0; i < all.size(); ++i) *all[i] = Cost{std::exp(parameters[i])};
  return costs;
}

double median(std::vector<double> values, double fallback) {
  if (values.empty()) return fallback;
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

// Of the right order of magnitude: a row from the long prompts, a step of decoding from the short ones.
StepCosts guess(std::span<const Recording> recordings, std::size_t few_rows) {
  std::vector<double> row, step;
  for (const Recording& recording : recordings) {
    for (const Measurement& each : recording.rows) {
      if (!decides(each) || each.scenario != "solo") continue;
      if (each.prompt - each.cached > 200) row.push_back(1e3 * each.first / (each.prompt - each.cached));
      if (each.answer >= kLeastAnswer && each.prompt < 200) {
        step.push_back(1e3 * (each.last - each.first) / (each.answer - 1));
      }
    }
  }
  const Cost one_step{median(step, 10)};
  const Cost one_row{median(row, 1)};
  StepCosts costs{.few_rows = {},
                  .many_rows = one_step,
                  .row = one_row,
                  .pair_alone = one_step / 1000,
                  .pair_one = one_step / 1000,
                  .pair_few = one_step / 1000,
                  .pair_tiled = one_row / 4000,
                  .handover = Cost{5},
                  .copy = one_row / 100};
  for (std::size_t i = 0; i < few_rows; ++i) costs.few_rows.push_back(one_step * (1 + 0.3 * static_cast<double>(i)));
  return costs;
}

double misfit(const Measurement& row, const Times& times) {
  const double first = std::log(times.first / row.first);
  if (row.answer < kLeastAnswer) return std::abs(first);
  return std::abs(first) + std::abs(std::log((times.last - times.first) / (row.last - row.first)));
}

// One moment after another, the order whose times are nearest to the measured ones up to the end of the next moment,
// since who got which slot decides who gets which next.
Orders best_orders(const Recording& recording, const StepCosts& costs) {
  const Orders moments = moments_of(recording);
  Orders best;
  for (auto moment = moments.begin(); moment != moments.end(); ++moment) {
    if (!decides(recording.rows[moment->first])) continue;
    std::size_t end = recording.rows.size();
    if (auto next = std::next(moment); next != moments.end()) end = next->first + next->second.size();
    double least = std::numeric_limits<double>::max();
    Orders tried = best;
    std::vector<std::size_t>& order = tried[moment->first] = moment->second;
    do {
      const std::vector<Times> times = rehearse(recording, costs, Reuse::given, tried);
      double sum = 0;
      for (std::size_t i = moment->first; i < end; ++i) {
        if (decides(recording.rows[i])) sum += misfit(recording.rows[i], times[i]);
      }
      if (sum >= least) continue;
      least = sum;
      best[moment->first] = order;
    } while (std::ranges::next_permutation(order).found);
  }
  return best;
}

std::vector<double> residuals(std::span<const Recording> recordings, const std::vector<Orders>& orders,
                              const StepCosts& costs) {
  std::vector<double> all;
  for (std::size_t r = 0; r < recordings.size(); ++r) {
    const Recording& recording = recordings[r];
    const std::vector<Times> times = rehearse(recording, costs, Reuse::given, orders[r]);
    for (std::size_t i = 0; i < recording.rows.size(); ++i) {
      const Measurement& row = recording.rows[i];
      if (!decides(row)) continue;
      all.push_back(std::log(times[i].first / row.first));
      if (row.answer < kLeastAnswer) continue;
      all.push_back(std::log((times[i].last - times[i].first) / (row.last - row.first)));
    }
  }
  return all;
}

}  // namespace

bool decides(const Measurement& row) {
  if (row.scenario == "solo") return true;
  return (row.scenario == "batch" || row.scenario == "interfere") && row.repetition % 2 == 0;
}

Result<Fit> fit(std::span<const Recording> recordings) {
  std::size_t few_rows = 0;
  for (const Recording& recording : recordings) {
    if (std::ranges::any_of(recording.rows, decides)) few_rows = std::max<std::size_t>(few_rows, recording.slots);
  }
  if (few_rows == 0) {
    return Error{ErrorCode::invalid, Side::gateway,
                 "no measurement decides the costs; give one of scenario solo or batch"};
  }
  const std::vector<double> start = to_parameters(guess(recordings, few_rows));
  Fit fitted{.costs = to_costs(start, few_rows), .orders = std::vector<Orders>(recordings.size())};
  for (int turn = 0; turn < kTurns; ++turn) {
    const auto distances = [&](const std::vector<double>& parameters) {
      std::vector<double> all = residuals(recordings, fitted.orders, to_costs(parameters, few_rows));
      for (std::size_t i = 0; i < start.size(); ++i) all.push_back(kTrustInGuess * (parameters[i] - start[i]));
      return all;
    };
    const Minimum minimum = least_squares(distances, to_parameters(fitted.costs), kStep, kOutlier);
    fitted.costs = to_costs(minimum.parameters, few_rows);
    fitted.times = distances(start).size() - start.size();
    fitted.typical_error = std::sqrt(minimum.cost / static_cast<double>(fitted.times));
    fitted.rounds += minimum.rounds;
    if (turn + 1 == kTurns) break;
    for (std::size_t r = 0; r < recordings.size(); ++r) fitted.orders[r] = best_orders(recordings[r], fitted.costs);
  }
  return fitted;
}

}  // namespace drover::calibrate
