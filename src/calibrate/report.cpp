#include "calibrate/report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "calibrate/fit.h"

namespace drover::calibrate {
namespace {

// Times of several requests, measured and predicted.
struct Sample {
  std::vector<double> measured, predicted, errors;

  void add(double real, double model) {
    measured.push_back(real);
    predicted.push_back(model);
    errors.push_back(std::abs(model / real - 1));
  }
  Compared at(double share) const { return {percentile(measured, share), percentile(predicted, share)}; }
};

struct Both {
  Sample first, last;

  void add(const Measurement& row, const Times& times) {
    first.add(row.first, times.first);
    last.add(row.last, times.last);
  }
};

}  // namespace

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const double above = values[std::min(below + 1, values.size() - 1)];
  return values[below] + (above - values[below]) * (place - static_cast<double>(below));
}

std::vector<Cell> cells_of(const Recording& recording, const std::vector<Times>& times) {
  std::vector<Cell> cells;
  std::vector<Both> samples;
  for (std::size_t i = 0; i < recording.rows.size(); ++i) {
    const Measurement& row = recording.rows[i];
    if (row.open_loop || row.scenario == "load" || row.scenario == "warm") continue;
    const auto same = [&](const Cell& cell) {
      return cell.scenario == row.scenario && cell.name == row.cell && cell.decided == decides(row);
    };
    const auto found = std::ranges::find_if(cells, same);
    const auto index = static_cast<std::size_t>(found - cells.begin());
    if (found == cells.end()) {
      cells.push_back({.scenario = row.scenario, .name = row.cell, .decided = decides(row), .first = {}, .last = {}});
      samples.emplace_back();
    }
    samples[index].add(row, times[i]);
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i].requests = samples[i].first.measured.size();
    cells[i].first = samples[i].first.at(0.5);
    cells[i].last = samples[i].last.at(0.5);
  }
  return cells;
}

std::vector<Loop> loops_of(const Recording& recording, const std::vector<Times>& times) {
  std::map<double, Both> rates;
  for (std::size_t i = 0; i < recording.rows.size(); ++i) {
    if (recording.rows[i].open_loop) rates[recording.rows[i].rate.value_or(0)].add(recording.rows[i], times[i]);
  }
  std::vector<Loop> loops;
  for (const auto& [rate, both] : rates) {
    loops.push_back({.rate = rate,
                     .requests = both.first.measured.size(),
                     .first_p50 = both.first.at(0.5),
                     .first_p95 = both.first.at(0.95),
                     .last_p50 = both.last.at(0.5),
                     .last_p95 = both.last.at(0.95),
                     .first_error = percentile(both.first.errors, 0.5),
                     .last_error = percentile(both.last.errors, 0.5)});
  }
  return loops;
}

}  // namespace drover::calibrate
