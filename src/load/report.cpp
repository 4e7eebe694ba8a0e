#include "load/report.h"

#include <algorithm>

namespace drover::load {
namespace {

double milliseconds(Duration time) { return seconds(time) * 1000; }

Json json_of(const Histogram& times) {
  Json json{{"count", times.count()}, {"mean_ms", milliseconds(times.mean())}};
  for (const auto& [name, part] : kPercentiles) json[std::string(name) + "_ms"] = milliseconds(times.quantile(part));
  json["max_ms"] = milliseconds(times.max());
  return json;
}

}  // namespace

void Report::add(const Outcome& outcome) {
  ++requests_;
  ++ends_[static_cast<std::size_t>(outcome.end)];
  if (goal_.met(outcome)) ++good_;
  if (!outcome.kind.empty()) {
    const bool full = kinds_.size() >= kMaxKinds && !kinds_.contains(outcome.kind);
    const auto [kind, is_new] = kinds_.try_emplace(full ? "other" : outcome.kind, ErrorKind{.end = outcome.end});
    if (is_new) kind->second.example = outcome.message;
    ++kind->second.count;
  }
  for (const Figure figure : kFigures) {
    const auto time = figure_of(outcome, figure);
    if (!time || (outcome.end != End::ok && figure != Figure::slip)) continue;
    times_[static_cast<std::size_t>(figure)].add(*time);
  }
  tokens_ += outcome.tokens;
  if (outcome.end == End::ok) {
    prompt_ += outcome.prompt;
    prompt_read_ += outcome.prompt_read;
    asked_ += outcome.asked;
    answered_ += outcome.tokens;
  }
  span_ = std::max(span_, outcome.ended.value_or(outcome.due));
}

double Report::per_second(std::uint64_t count) const {
  return span_ > Duration{} ? static_cast<double>(count) / seconds(span_) : 0;
}

Json Report::json() const {
  Json ends{{"all", requests_}};
  for (std::size_t i = 0; i < kEnds; ++i) ends[std::string(name(static_cast<End>(i)))] = ends_[i];
  ends["good"] = good_;
  Json errors = Json::array();
  for (const auto& [kind, error] : kinds_) {
    errors.push_back({{"kind", kind}, {"end", name(error.end)}, {"count", error.count}, {"example", error.example}});
  }
  Json json{
      {"seconds", seconds(span_)},
      {"requests", std::move(ends)},
      {"errors", std::move(errors)},
      {"per_second",
       {{"requests", per_second(count(End::ok))}, {"good", per_second(good_)}, {"tokens", per_second(tokens_.value)}}},
      // All that came; and of whole answers what they were to be and what the server counted.
      {"tokens",
       {{"all", tokens_.value},
        {"prompt_planned", prompt_.value},
        {"prompt_read", prompt_read_.value},
        {"answer_asked", asked_.value},
        {"answer", answered_.value}}}};
  for (const Figure figure : kFigures) json[std::string(name(figure))] = json_of(times(figure));
  return json;
}

}  // namespace drover::load
