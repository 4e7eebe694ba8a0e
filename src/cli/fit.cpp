// `drover fit`: what the steps of an engine cost on a card, from measurements of it (bench/engine/measure makes them).

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/json.h"
#include "calibrate/fit.h"
#include "calibrate/report.h"
#include "cli/commands.h"

namespace drover::cli {
namespace {

using calibrate::Cell;
using calibrate::Compared;
using calibrate::Loop;
using calibrate::Recording;
using calibrate::Reuse;

// Measurements of an engine without its host cache say so by their name, if their lines do not.
constexpr std::string_view kWithoutHostCache = "-nohost";

Result<Recording> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return Error{ErrorCode::invalid, Side::gateway, fmt::format("{} cannot be read", path)};
  Result<Recording> run = calibrate::read_run(path, text);
  if (run && std::filesystem::path(path).stem().string().ends_with(kWithoutHostCache)) run->host_cache = false;
  return run;
}

Result<std::vector<Recording>> read_files(const std::vector<std::string>& paths) {
  std::vector<Recording> runs;
  for (const std::string& path : paths) {
    Result<Recording> run = read_file(path);
    if (!run) return run.error();
    runs.push_back(std::move(*run));
  }
  return runs;
}

// Everything the command says, as people and as scripts read it.
struct Findings {
  calibrate::Fit fit;
  std::vector<std::pair<std::string, std::vector<Cell>>> cells;  // by file
  struct Prediction {
    std::string file;
    Reuse reuse;
    std::vector<Loop> loops;
  };
  std::vector<Prediction> predictions;
};

std::string_view name_of(Reuse reuse) { return reuse == Reuse::given ? "given" : "predicted"; }

Json costs_json(const engine::StepCosts& costs) {
  Json few = Json::array();
  for (const engine::Cost each : costs.few_rows) few.push_back(each.count());
  return {{"few_rows_ms", std::move(few)},
          {"many_rows_ms", costs.many_rows.count()},
          {"row_ms", costs.row.count()},
          {"pair_alone_ms", costs.pair_alone.count()},
          {"pair_one_ms", costs.pair_one.count()},
          {"pair_few_ms", costs.pair_few.count()},
          {"pair_tiled_ms", costs.pair_tiled.count()},
          {"handover_ms", costs.handover.count()},
          {"copy_ms", costs.copy.count()}};
}

Json compared_json(const Compared& compared) {
  return {{"measured_s", compared.measured}, {"predicted_s", compared.predicted}, {"error", compared.error()}};
}

Json to_json(const Findings& findings) {
  Json cells = Json::array();
  for (const auto& [file, all] : findings.cells) {
    for (const Cell& cell : all) {
      cells.push_back({{"file", file},
                       {"scenario", cell.scenario},
                       {"cell", cell.name},
                       {"decided", cell.decided},
                       {"requests", cell.requests},
                       {"first_token", compared_json(cell.first)},
                       {"end", compared_json(cell.last)}});
    }
  }
  Json loops = Json::array();
  for (const auto& prediction : findings.predictions) {
    for (const Loop& loop : prediction.loops) {
      loops.push_back({{"file", prediction.file},
                       {"reuse", name_of(prediction.reuse)},
                       {"rate", loop.rate},
                       {"requests", loop.requests},
                       {"first_token_p50", compared_json(loop.first_p50)},
                       {"first_token_p95", compared_json(loop.first_p95)},
                       {"end_p50", compared_json(loop.last_p50)},
                       {"end_p95", compared_json(loop.last_p95)},
                       {"first_token_median_error", loop.first_error},
                       {"end_median_error", loop.last_error}});
    }
  }
  return {{"costs", costs_json(findings.fit.costs)},
          {"typical_error", findings.fit.typical_error},
          {"times", findings.fit.times},
          {"rounds", findings.fit.rounds},
          {"cells", std::move(cells)},
          {"open_loops", std::move(loops)}};
}

void print_card(const calibrate::Fit& fit) {
  const engine::StepCosts& costs = fit.costs;
  fmt::print("# fitted to {} times in {} rounds; they are {:.1f} % off, typically\ncard:\n  few_rows_ms: [", fit.times,
             fit.rounds, 100 * fit.typical_error);
  for (std::size_t i = 0; i < costs.few_rows.size(); ++i) {
    fmt::print("{}{:.2f}", i == 0 ? "" : ", ", costs.few_rows[i].count());
  }
  fmt::print("]\n  many_rows_ms: {:.2f}\n  row_ms: {:.3f}\n", costs.many_rows.count(), costs.row.count());
  fmt::print("  pair_alone_ms: {:.3g}\n  pair_one_ms: {:.3g}\n  pair_few_ms: {:.3g}\n  pair_tiled_ms: {:.3g}\n",
             costs.pair_alone.count(), costs.pair_one.count(), costs.pair_few.count(), costs.pair_tiled.count());
  fmt::print("  handover_ms: {:.1f}\n  copy_ms: {:.3g}\n", costs.handover.count(), costs.copy.count());
}

std::string compared_text(const Compared& compared) {
  return fmt::format("{:8.3f} {:9.3f} {:+6.1f} %", compared.measured, compared.predicted, 100 * compared.error());
}

void print_cells(const Findings& findings) {
  for (const auto& [file, cells] : findings.cells) {
    if (cells.empty()) continue;
    fmt::print("\n{}\n{:10} {:34} {:>4}  {:^28}  {:^28}\n{:51}  {:>8} {:>9} {:>8}  {:>8} {:>9} {:>8}\n", file,
               "scenario", "cell", "n", "first token, s", "end, s", "", "measured", "predicted", "error", "measured",
               "predicted", "error");
    std::vector<double> first, last;
    for (const Cell& cell : cells) {
      fmt::print("{:10} {:34} {:>4}  {}  {}{}\n", cell.scenario, cell.name, cell.requests, compared_text(cell.first),
                 compared_text(cell.last), cell.decided ? "  fitted" : "");
      if (cell.decided) continue;
      first.push_back(std::abs(cell.first.error()));
      last.push_back(std::abs(cell.last.error()));
    }
    if (first.empty()) continue;
    fmt::print("{} cells that were not fitted: median error {:.1f} % to the first token, {:.1f} % to the end\n",
               first.size(), 100 * calibrate::percentile(first, 0.5), 100 * calibrate::percentile(last, 0.5));
  }
}

void print_predictions(const Findings& findings) {
  for (const auto& prediction : findings.predictions) {
    fmt::print("\n{}, reuse {}\n", prediction.file, name_of(prediction.reuse));
    for (const Loop& loop : prediction.loops) {
      fmt::print("{} requests a second ({} requests){:6}measured predicted    error\n", loop.rate, loop.requests, "");
      fmt::print("  first token p50   {}\n", compared_text(loop.first_p50));
      fmt::print("  first token p95   {}\n", compared_text(loop.first_p95));
      fmt::print("  end         p50   {}\n", compared_text(loop.last_p50));
      fmt::print("  end         p95   {}\n", compared_text(loop.last_p95));
      fmt::print("  per request, median: {:.1f} % off to the first token, {:.1f} % to the end\n",
                 100 * loop.first_error, 100 * loop.last_error);
    }
  }
}

}  // namespace

int run_fit(const FitArguments& arguments) {
  const auto refuse = [](const Error& error) { return fmt::print(stderr, "drover: {}\n", error.detail), 2; };
  const Result<std::vector<Recording>> runs = read_files(arguments.files);
  if (!runs) return refuse(runs.error());
  const Result<std::vector<Recording>> loops = read_files(arguments.predict);
  if (!loops) return refuse(loops.error());
  const Result<calibrate::Fit> fitted = calibrate::fit(*runs);
  if (!fitted) return refuse(fitted.error());

  Findings findings{.fit = *fitted, .cells = {}, .predictions = {}};
  for (std::size_t i = 0; i < runs->size(); ++i) {
    const Recording& run = (*runs)[i];
    const auto times = rehearse(run, fitted->costs, Reuse::given, fitted->orders[i]);
    findings.cells.emplace_back(run.name, calibrate::cells_of(run, times));
  }
  for (const Recording& run : *loops) {
    for (const Reuse reuse : {Reuse::given, Reuse::predicted}) {
      findings.predictions.push_back({run.name, reuse, calibrate::loops_of(run, rehearse(run, fitted->costs, reuse))});
    }
  }
  if (arguments.json) return fmt::print("{}\n", to_pretty_text(to_json(findings))), 0;
  print_card(findings.fit);
  print_cells(findings);
  print_predictions(findings);
  return 0;
}

}  // namespace drover::cli
