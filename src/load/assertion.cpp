#include "load/assertion.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "config/quantities.h"

namespace drover::load {
namespace {

Error invalid(std::string what) { return Error{ErrorCode::invalid, Side::gateway, std::move(what)}; }

template <typename T>
struct Named {
  std::string_view name;
  T value;
};

template <typename T, std::size_t N>
std::optional<T> find(const Named<T> (&list)[N], std::string_view name) {
  const auto found = std::ranges::find(list, name, &Named<T>::name);
  return found == std::end(list) ? std::nullopt : std::optional(found->value);
}

// Digits with a point among them at most.
std::optional<double> read_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

Result<Assertion> Assertion::parse(std::string_view text) {
  const auto comparison = split_comparison(text);
  if (!comparison) return comparison.error();
  auto what = comparison->left.ends_with(')') ? parse_time(*comparison) : parse_number(*comparison);
  if (!what) return what.error();
  Assertion assertion;
  assertion.text_ = text;
  assertion.what_ = *what;
  assertion.relation_ = comparison->relation;
  return assertion;
}

Result<Assertion::What> Assertion::parse_time(const Comparison& text) {
  const auto open = text.left.find('(');
  const std::string_view of = ascii::trim(text.left.substr(0, open));
  const auto figure = open == std::string_view::npos
                          ? std::nullopt
                          : figure_named(ascii::trim(text.left.substr(open + 1, text.left.size() - open - 2)));
  if (!figure) {
    return invalid(
        fmt::format("there is no figure {:?}; expected ttft, tpot, e2e or slip, as in p95(ttft)", text.left));
  }
  Time time{.summary = Summary::percentile, .part = 0, .figure = *figure, .limit = {}};
  const auto percentile = std::ranges::find(kPercentiles, of, &Percentile::name);
  if (percentile != kPercentiles.end()) {
    time.part = percentile->part;
  } else if (of == "max" || of == "mean") {
    time.summary = of == "max" ? Summary::max : Summary::mean;
  } else {
    return invalid(fmt::format("there is no {:?} of a time; expected p50, p90, p95, p99, max or mean", of));
  }
  const auto limit = config::parse_duration(text.right);
  if (!limit) return invalid(fmt::format("{:?} is no time; expected one as 2s, 1s500ms or 100ms", text.right));
  time.limit = *limit;
  return What{time};
}

Result<Assertion::What> Assertion::parse_number(const Comparison& text) {
  constexpr Named<Rate> kRates[] = {
      {"requests_per_s", Rate::requests}, {"good_per_s", Rate::good}, {"tokens_per_s", Rate::tokens}};
  constexpr Named<Count> kCounts[] = {
      {"ok", Count::ok},       {"refused", Count::refused}, {"failed", Count::failed}, {"cut", Count::cut},
      {"wrong", Count::wrong}, {"dropped", Count::dropped}, {"errors", Count::errors}, {"good", Count::good}};
  const auto count = find(kCounts, text.left);
  const auto rate = find(kRates, text.left);
  if (!count && !rate) {
    return invalid(
        fmt::format("there is no figure {:?}; expected a time as p95(ttft), one of ok, refused, failed, cut, wrong, "
                    "dropped, errors, good, or one of requests_per_s, good_per_s, tokens_per_s",
                    text.left));
  }
  const bool percent = count && text.right.ends_with('%');
  const auto limit = read_number(percent ? text.right.substr(0, text.right.size() - 1) : text.right);
  if (!limit) {
    return invalid(fmt::format("{:?} is no number{}; expected one as 10{}", text.right, count ? " or percentage" : "",
                               count ? " or 0.5%" : ""));
  }
  return count ? What{Share{*count, percent, *limit}} : What{Speed{*rate, *limit}};
}

Assertion::Verdict Assertion::check(const Report& report) const {
  return std::visit([&](const auto& what) { return check(what, report); }, what_);
}

Assertion::Verdict Assertion::check(const Time& time, const Report& report) const {
  const Histogram& times = report.times(time.figure);
  if (times.count() == 0) return {false, "nothing was measured"};
  const Duration seen = time.summary == Summary::max    ? times.max()
                        : time.summary == Summary::mean ? times.mean()
                                                        : times.quantile(time.part);
  const bool is_short = seen < std::chrono::seconds(1);
  return {holds(seen, relation_, time.limit),
          fmt::format("{:.4g}{}", seconds(seen) * (is_short ? 1000 : 1), is_short ? "ms" : "s")};
}

Assertion::Verdict Assertion::check(const Share& share, const Report& report) const {
  auto seen = static_cast<double>(count(report, share.of));
  if (share.percent && report.requests() > 0) seen *= 100 / static_cast<double>(report.requests());
  return {holds(seen, relation_, share.limit), fmt::format("{:.4g}{}", seen, share.percent ? "%" : "")};
}

Assertion::Verdict Assertion::check(const Speed& speed, const Report& report) const {
  std::uint64_t events = 0;
  switch (speed.of) {
    case Rate::requests: events = report.count(End::ok); break;
    case Rate::good: events = report.good(); break;
    case Rate::tokens: events = report.tokens().value; break;
  }
  const double seen = report.per_second(events);
  return {holds(seen, relation_, speed.limit), fmt::format("{:.4g}", seen)};
}

std::uint64_t Assertion::count(const Report& report, Count of) {
  switch (of) {
    case Count::ok: return report.count(End::ok);
    case Count::refused: return report.count(End::refused);
    case Count::failed: return report.count(End::failed);
    case Count::cut: return report.count(End::cut);
    case Count::wrong: return report.count(End::wrong);
    case Count::dropped: return report.count(End::dropped);
    case Count::errors: return report.errors();
    case Count::good: return report.good();
  }
  return 0;
}

}  // namespace drover::load
