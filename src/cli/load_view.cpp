#include "cli/load_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/human.h"
#include "cli/table.h"

namespace drover::cli {
namespace {

using load::End;

std::string count_text(std::uint64_t count) { return human_count(static_cast<std::int64_t>(count)); }

Paint paint_of(End end) {
  switch (end) {
    case End::ok: return Paint::good;
    case End::refused:
    case End::dropped: return Paint::warning;
    case End::failed:
    case End::cut:
    case End::wrong: return Paint::bad;
    case End::unfinished: return Paint::plain;
  }
  return Paint::plain;
}

// `530 ok, 3 refused`: the ends that there were, ok in any case.
std::vector<Piece> end_pieces(const load::Report& report) {
  std::vector<Piece> pieces{{fmt::format("{} ok", count_text(report.count(End::ok))), paint_of(End::ok)}};
  for (const End end : {End::refused, End::failed, End::cut, End::wrong, End::dropped, End::unfinished}) {
    const std::uint64_t count = report.count(end);
    if (count == 0) continue;
    pieces.push_back({fmt::format(", {} {}", count_text(count), name(end)), paint_of(end)});
  }
  return pieces;
}

struct Rates {
  double requests;
  double tokens;
};
Rates rates_between(const load::Progress& before, const load::Progress& now) {
  const double time = seconds(now.elapsed - before.elapsed);
  if (time <= 0) return {};
  return {static_cast<double>(now.ended - before.ended) / time,
          static_cast<double>(now.messages - before.messages) / time};
}

// A line a figure.
Table time_table(const load::Report& report, const Style& style) {
  Table table({{.title = ""},
               {.title = "MEAN", .right = true},
               {.title = "P50", .right = true},
               {.title = "P90", .right = true},
               {.title = "P95", .right = true},
               {.title = "P99", .right = true},
               {.title = "MAX", .right = true}},
              style);
  for (const load::Figure figure : load::kFigures) {
    const load::Histogram& times = report.times(figure);
    std::vector<Piece> row{{std::string(name(figure)), Paint::bold}};
    const auto add = [&](Duration time) { row.push_back({times.count() == 0 ? "-" : human_latency(time)}); };
    add(times.mean());
    for (const auto& percentile : load::kPercentiles) add(times.quantile(percentile.part));
    add(times.max());
    table.add(std::move(row));
  }
  return table;
}

// A line a kind of error, the most frequent first.
Table error_table(const load::Report& report, const Style& style) {
  Table table({{.title = "ERROR", .least = 12},
               {.title = "COUNT", .right = true},
               {.title = "END"},
               {.title = "EXAMPLE", .least = 10}},
              style);
  std::vector<std::pair<std::string, load::ErrorKind>> kinds(report.kinds().begin(), report.kinds().end());
  std::ranges::sort(kinds, [](const auto& a, const auto& b) {
    return a.second.count != b.second.count ? a.second.count > b.second.count : a.first < b.first;
  });
  for (const auto& [kind, error] : kinds) {
    table.add({{kind}, {count_text(error.count)}, {std::string(name(error.end))}, {error.example}});
  }
  return table;
}

std::string arrivals_text(const load::Settings& settings) {
  if (const auto* open = std::get_if<load::OpenLoop>(&settings.arrivals)) {
    return fmt::format("{} requests/s{}", human_rate(open->rate), open->poisson ? " at random" : "");
  }
  if (const auto* closed = std::get_if<load::ClosedLoop>(&settings.arrivals)) {
    return fmt::format("{} at a time", closed->users);
  }
  const auto& trace = std::get<load::TraceLoop>(settings.arrivals);
  return fmt::format("{} at {:g} x speed", trace.path, trace.speed);
}

}  // namespace

std::string load_title(const load::Settings& settings) {
  return fmt::format("{}  {}  {}  {}", http::to_text(settings.target), settings.model, api::label(settings.route),
                     arrivals_text(settings));
}

std::vector<std::string> load_screen(const load::Settings& settings, const load::Report& report,
                                     const load::Progress& now, const load::Progress& before, Size terminal,
                                     const Style& style) {
  const std::size_t columns = terminal.columns - std::min<std::size_t>(terminal.columns, 1);
  const Rates rates = rates_between(before, now);
  std::vector<std::string> lines;
  const auto add = [&](std::vector<Piece> pieces) { lines.push_back(line_of(pieces, columns, style)); };
  add({{load_title(settings), Paint::bold}});
  add({{fmt::format("{}  {} requests/s, {} tokens/s, {} outstanding", human_duration(seconds(now.elapsed)),
                    human_rate(rates.requests), human_rate(rates.tokens), count_text(now.outstanding))}});
  std::vector<Piece> ends{{fmt::format("{} sent: ", count_text(now.sent))}};
  std::ranges::move(end_pieces(report), std::back_inserter(ends));
  add(std::move(ends));
  lines.emplace_back();
  const auto append = [&](const Table& table) {
    lines.push_back(table.titles(columns));
    std::ranges::move(table.lines(columns), std::back_inserter(lines));
  };
  append(time_table(report, style));
  lines.emplace_back();
  if (!report.kinds().empty()) {
    append(error_table(report, style));
    lines.emplace_back();
  }
  constexpr std::string_view kHelp = "Ctrl-C ends it, with the report of what was done.";
  lines.push_back(
      painted(fit(now.sending ? kHelp : "All is sent; the last answers come. Ctrl-C gives them up.", columns, style),
              Paint::dim, style));
  lines.resize(std::min(lines.size(), terminal.rows));
  return lines;
}

std::string load_line(const load::Report& report, const load::Progress& now, const load::Progress& before) {
  const Rates rates = rates_between(before, now);
  const load::Histogram& ttft = report.times(load::Figure::ttft);
  return fmt::format("{}: {} sent, {} outstanding, {} ok, {} errors, {} requests/s, {} tokens/s, ttft p95 {}",
                     human_duration(seconds(now.elapsed)), count_text(now.sent), count_text(now.outstanding),
                     count_text(report.count(End::ok)), count_text(report.errors()), human_rate(rates.requests),
                     human_rate(rates.tokens), ttft.count() == 0 ? "-" : human_latency(ttft.quantile(0.95)));
}

std::string load_report(const load::Report& report, std::string_view goal, const Style& style) {
  std::string text;
  const auto add = [&](std::vector<Piece> pieces) { text += line_of(pieces, kAnyWidth, style) + "\n"; };
  std::vector<Piece> first{
      {fmt::format("{} requests in {}: ", count_text(report.requests()), human_duration(seconds(report.span()))),
       Paint::bold}};
  std::ranges::move(end_pieces(report), std::back_inserter(first));
  add(std::move(first));
  add({{fmt::format("{} answers/s, {} tokens/s, {} tokens in all", human_rate(report.per_second(report.count(End::ok))),
                    human_rate(report.per_second(report.tokens().value)), count_text(report.tokens().value))}});
  if (!goal.empty()) {
    const double share =
        report.requests() == 0 ? 0 : 100 * static_cast<double>(report.good()) / static_cast<double>(report.requests());
    add({{fmt::format("{} good ({:.1f} %), {}/s: whole answers with {}", count_text(report.good()), share,
                      human_rate(report.per_second(report.good())), goal)}});
  }
  const auto append = [&](const Table& table) {
    text += "\n" + table.titles(kAnyWidth) + "\n";
    for (const std::string& line : table.lines(kAnyWidth)) text += line + "\n";
  };
  append(time_table(report, style));
  if (!report.kinds().empty()) append(error_table(report, style));
  return text;
}

std::string load_verdicts(std::span<const Checked> checked, const Style& style) {
  if (checked.empty()) return {};
  Table table({{.title = ""}, {.title = ""}, {.title = ""}}, style);
  for (const auto& [text, verdict] : checked) {
    table.add({verdict.holds ? Piece{"ok", Paint::good} : Piece{"FAILED", Paint::bad},
               {std::string(text)},
               {fmt::format("was {}", verdict.seen)}});
  }
  std::string text = "\n";
  for (const std::string& line : table.lines(kAnyWidth)) text += line + "\n";
  return text;
}

}  // namespace drover::cli
