#include "cli/replay_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/human.h"
#include "cli/table.h"

namespace drover::cli {
namespace {

using replay::Figure;
using replay::Figures;
using replay::Interval;
using replay::Results;

enum class Unit : std::uint8_t { count, time, share, rate };

// A row of the tables.
struct Row {
  std::string_view figure;  // replay::figures()
  std::string_view title;
  Unit unit;
  bool compared = false;
};
constexpr std::array kRows{
    Row{"requests", "requests", Unit::count},
    Row{"ok", "ok", Unit::count},
    Row{"refused", "refused", Unit::count},
    Row{"left_out", "left out: no node's context fits", Unit::count},
    Row{"ttft_mean", "time to first token, mean", Unit::time, true},
    Row{"ttft_p50", "  p50", Unit::time},
    Row{"ttft_p95", "  p95", Unit::time, true},
    Row{"ttft_p99", "  p99", Unit::time},
    Row{"tpot_mean", "time per output token, mean", Unit::time},
    Row{"tpot_p50", "  p50", Unit::time},
    Row{"tpot_p95", "  p95", Unit::time, true},
    Row{"tpot_p99", "  p99", Unit::time},
    Row{"e2e_mean", "end to end, mean", Unit::time, true},
    Row{"e2e_p50", "  p50", Unit::time},
    Row{"e2e_p95", "  p95", Unit::time, true},
    Row{"e2e_p99", "  p99", Unit::time},
    Row{"wait_mean", "waiting (queues, loads), mean", Unit::time},
    Row{"wait_p50", "  p50", Unit::time},
    Row{"wait_p95", "  p95", Unit::time},
    Row{"wait_p99", "  p99", Unit::time},
    Row{"program_mean", "whole program, mean", Unit::time, true},
    Row{"program_p50", "  p50", Unit::time, true},
    Row{"program_p95", "  p95", Unit::time, true},
    Row{"good", "within the goal", Unit::share, true},
    Row{"tokens_per_s", "tokens/s", Unit::rate},
    Row{"loads", "loads", Unit::count, true},
    Row{"evictions", "evictions", Unit::count},
    Row{"cached", "prompt tokens from caches", Unit::share, true},
    Row{"cached_pooled", "  one pooled cache as large", Unit::share},
    Row{"cached_infinite", "  one without bound", Unit::share},
    Row{"cached_beyond", "beyond what all prompts begin with", Unit::share},
    Row{"cached_pooled_beyond", "  one pooled cache as large", Unit::share},
    Row{"modest_e2e_p95", "who asks least: end to end, p95", Unit::time, true},
    Row{"modest_e2e_p95_first", "  if it always came first", Unit::time},
    Row{"modest_e2e_p95_alone", "  if it were alone", Unit::time},
    Row{"modest_wait_p95", "who asks least: waiting, p95", Unit::time, true},
    Row{"modest_wait_p95_first", "  if it always came first", Unit::time},
    Row{"modest_wait_p95_alone", "  if it were alone", Unit::time},
    Row{"fair_windows", "minutes in which two tenants wait", Unit::count},
    Row{"gap_mean", "  served less than the other, mean", Unit::share},
    Row{"gap_max", "  at most", Unit::share},
};
constexpr std::size_t kMostTenants = 8;  // that are shown; JSON has all

// What an owner asks of another fleet.
constexpr std::array kQuestions{
    Row{"ttft_p50", "half of the answers begin within", Unit::time},
    Row{"ttft_p95", "95 of 100 begin within", Unit::time},
    Row{"e2e_p50", "half of the answers end within", Unit::time},
    Row{"e2e_p95", "95 of 100 end within", Unit::time},
    Row{"program_p50", "half of the programs end within", Unit::time},
    Row{"program_p95", "95 of 100 programs end within", Unit::time},
    Row{"good", "requests answered within the goal", Unit::share},
    Row{"refused", "requests refused", Unit::count},
    Row{"loads", "models loaded", Unit::count},
};

const Figure& figure_named(std::string_view name) { return *std::ranges::find(replay::figures(), name, &Figure::name); }

std::string text_of(double value, Unit unit) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return "never";
  switch (unit) {
    case Unit::count:
      return value < 100 && value != std::floor(value) ? fmt::format("{:.1f}", value)
                                                       : human_count(std::llround(value));
    case Unit::time: return human_latency(Duration(std::llround(value * 1e9)));
    case Unit::share: return fmt::format("{:.1f} %", 100 * value);
    case Unit::rate: return human_rate(value);
  }
}

std::string text_of(const Interval& interval, bool has_bounds) {
  if (!has_bounds) return fmt::format("{:+.1f} %", 100 * interval.mean);
  return fmt::format("{:+.1f} % ({:+.1f} to {:+.1f})", 100 * interval.mean, 100 * interval.low, 100 * interval.high);
}

std::string text_of(const Table& table) {
  std::string text = table.titles(kAnyWidth) + "\n";
  for (const std::string& line : table.lines(kAnyWidth)) text += line + "\n";
  return text;
}

std::vector<Column> columns_of(std::string_view first, std::span<const Results::Policy> policies) {
  std::vector<Column> columns{{.title = first}};
  for (const auto& policy : policies) columns.push_back({.title = policy.name, .right = true});
  return columns;
}

std::string figure_table(const Results& results, const Style& style) {
  Table table(columns_of("", results.policies), style);
  for (const Row& row : kRows) {
    const Figure& figure = figure_named(row.figure);
    std::vector<double> means;
    for (const auto& policy : results.policies) means.push_back(mean_of(policy, figure));
    if (std::ranges::all_of(means, [](double mean) { return std::isnan(mean); })) continue;
    std::vector<Piece> cells{{std::string(row.title)}};
    for (const double mean : means) cells.push_back({text_of(mean, row.unit)});
    table.add(std::move(cells));
  }
  return text_of(table);
}

// What each tenant gets.
std::string tenant_table(const Results& results, const Style& style) {
  using replay::TenantFigures;
  Table table(columns_of("tenant", results.policies), style);
  const auto& tenants = results.policies[0].runs[0].fairness->tenants;
  const auto add = [&](std::size_t tenant, std::string_view what, Unit unit, auto of) {
    std::vector<Piece> cells{{fmt::format("{}: {}", tenants[tenant].name, what)}};
    for (const auto& policy : results.policies) {
      double sum = 0;
      for (const Figures& run : policy.runs) sum += of(run.fairness->tenants[tenant]);
      cells.push_back({text_of(sum / static_cast<double>(policy.runs.size()), unit)});
    }
    table.add(std::move(cells));
  };
  for (std::size_t i = 0; i < std::min(tenants.size(), kMostTenants); ++i) {
    add(i, "requests", Unit::count, [](const TenantFigures& each) { return static_cast<double>(each.requests); });
    add(i, "served tokens", Unit::count, [](const TenantFigures& each) { return each.tokens; });
    add(i, "end to end, p95", Unit::time, [](const TenantFigures& each) { return each.end_to_end.p95; });
    add(i, "waiting, p95", Unit::time, [](const TenantFigures& each) { return each.waited.p95; });
  }
  return text_of(table);
}

std::string difference_text(const Results& results, const Results::Policy& policy, const Figure& figure) {
  const auto interval = against(results.policies[policy.base], policy, figure);
  return interval ? text_of(*interval, policy.runs.size() > 1) : "-";
}

std::string difference_table(const Results& results, const Style& style) {
  const std::span<const Results::Policy> others = std::span(results.policies).subspan(1);
  const std::string title = fmt::format("against {}", results.policies[0].name);
  Table table(columns_of(title, others), style);
  for (const Row& row : kRows) {
    if (!row.compared) continue;
    std::vector<Piece> cells{{std::string(row.figure)}};
    bool any = false;
    for (const auto& policy : others) {
      cells.push_back({difference_text(results, policy, figure_named(row.figure))});
      any |= cells.back().text != "-";
    }
    if (any) table.add(std::move(cells));
  }
  return text_of(table);
}

// One policy on the fleet as it is, and on the other one.
std::string what_if_table(const ReplayReport& report, const Results::Policy& changed, const Style& style) {
  const Results::Policy& base = report.results.policies[changed.base];
  Table table({{.title = base.name},
               {.title = "as it is", .right = true},
               {.title = report.what_if, .right = true},
               {.title = "difference", .right = true}},
              style);
  for (const Row& question : kQuestions) {
    const Figure& figure = figure_named(question.figure);
    const double before = mean_of(base, figure);
    const double after = mean_of(changed, figure);
    if (std::isnan(before)) continue;
    table.add({{std::string(question.title)},
               {text_of(before, question.unit)},
               {text_of(after, question.unit)},
               {difference_text(report.results, changed, figure)}});
  }
  return text_of(table);
}

std::string left_out_text(const traces::LeftOut& lines) {
  return fmt::format(
      "Lines of the log that were left out, since nobody knows how much would have been read and written: {} refused, "
      "{} failed, {} cancelled, {} truncated, {} others.\n",
      lines.refused, lines.failed, lines.cancelled, lines.truncated, lines.other);
}

Json to_json(const traces::LeftOut& lines) {
  return {{"refused", lines.refused},
          {"failed", lines.failed},
          {"cancelled", lines.cancelled},
          {"truncated", lines.truncated},
          {"other", lines.other}};
}

}  // namespace

std::string to_text(const ReplayReport& report, const Style& style) {
  const Results& results = report.results;
  const std::size_t seeds = results.policies[0].runs.size();
  std::string text;
  text += seeds == 1 ? fmt::format("Seed {}. Goal: {}.\n\n", results.first_seed, report.goal)
                     : fmt::format("Means over the seeds {} to {}. Goal: {}.\n\n", results.first_seed,
                                   results.first_seed + seeds - 1, report.goal);
  const bool what_if = !report.what_if.empty();
  if (what_if) {
    for (std::size_t i = results.policies.size() / 2; i < results.policies.size(); ++i) {
      text += what_if_table(report, results.policies[i], style) + "\n";
    }
  }
  text += figure_table(results, style);
  if (results.policies[0].runs[0].fairness) text += "\n" + tenant_table(results, style);
  if (!results.policies[0].runs[0].reuse) {
    text += "\nReuse was not modelled: no prompt is known to begin like another.\n";
  }
  if (report.left_out && report.left_out->all() > 0) text += "\n" + left_out_text(*report.left_out);
  const bool compares = results.policies.size() > 1;
  if (compares && !what_if) text += "\n" + difference_table(results, style);
  if (compares && seeds > 1) text += "\nMeans of the differences on each seed, with 95 % bootstrap intervals.\n";
  return text;
}

Json to_json(const ReplayReport& report) {
  const Results& results = report.results;
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); };
  Json policies = Json::array();
  for (const auto& policy : results.policies) {
    const Results::Policy& base = results.policies[policy.base];
    Json means = Json::object();
    Json differences = Json::object();
    for (const Figure& figure : replay::figures()) {
      means[figure.name] = number(mean_of(policy, figure));
      const auto interval = against(base, policy, figure);
      if (!interval || &policy == &base) continue;
      differences[figure.name] = {{"mean", interval->mean}, {"low", interval->low}, {"high", interval->high}};
    }
    Json seeds = Json::array();
    for (std::size_t i = 0; i < policy.runs.size(); ++i) {
      Json run = replay::to_json(policy.runs[i]);
      run["seed"] = results.first_seed + i;
      seeds.push_back(std::move(run));
    }
    policies.push_back({{"policy", policy.name},
                        {"means", std::move(means)},
                        {"against", base.name},
                        {"differences", std::move(differences)},
                        {"seeds", std::move(seeds)}});
  }
  Json json{{"reuse_modelled", results.policies[0].runs[0].reuse.has_value()}};
  if (!report.what_if.empty()) json["what_if"] = report.what_if;
  if (report.left_out) json["left_out"] = to_json(*report.left_out);
  json["policies"] = std::move(policies);
  return json;
}

}  // namespace drover::cli
