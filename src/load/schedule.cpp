#include "load/schedule.h"

#include <cmath>

namespace drover::load {
namespace {

// What settles when the next request is due.
class Steps {
 public:
  explicit Steps(const Settings& settings) {
    if (const auto* open = std::get_if<OpenLoop>(&settings.arrivals)) open_ = *open;
  }
  Duration next(Random& random) {
    if (!open_) return {};
    // Evenly: each from the start, so that rounding does not add up.
    if (!open_->poisson) return at(static_cast<double>(number_++) / open_->rate);
    seconds_ += -std::log1p(-random.uniform()) / open_->rate;
    return at(seconds_);
  }

 private:
  static Duration at(double seconds) { return Duration(std::llround(seconds * 1e9)); }

  std::optional<OpenLoop> open_;  // else all at once
  std::uint64_t number_ = 0;
  double seconds_ = 0;
};

class MadeUp final : public Schedule {
 public:
  explicit MadeUp(const Settings& settings)
      : prompt_(settings.prompt), answer_(settings.answer), steps_(settings), random_(settings.seed) {}

  Result<std::optional<traces::Request>> next() override {
    const Duration at = steps_.next(random_);
    const Tokens prompt = draw(prompt_);
    return traces::Request{.at = at, .prompt = prompt, .answer = draw(answer_)};
  }

 private:
  Tokens draw(const TokenRange& range) { return Tokens{range.least + random_.below(range.most - range.least + 1)}; }

  TokenRange prompt_, answer_;
  Steps steps_;
  Random random_;
};

class FromTrace final : public Schedule {
 public:
  FromTrace(traces::Reader reader, const TraceLoop& settings)
      : reader_(std::move(reader)), speed_(settings.speed), first_(settings.first) {}

  Result<std::optional<traces::Request>> next() override {
    auto request = reader_.next();
    if (!request || !*request) return request;
    if (first_ && (*request)->at >= *first_) return std::nullopt;
    (*request)->at = Duration(std::llround(static_cast<double>((*request)->at.count()) / speed_));
    return request;
  }

 private:
  traces::Reader reader_;
  double speed_;
  std::optional<Duration> first_;
};

// Ends another schedule where the settings say.
class Bounded final : public Schedule {
 public:
  Bounded(std::unique_ptr<Schedule> all, const Settings& settings)
      : all_(std::move(all)), time_(settings.time), left_(settings.requests) {}

  Result<std::optional<traces::Request>> next() override {
    if (left_ && (*left_)-- == 0) return left_ = 0, std::nullopt;
    auto request = all_->next();
    if (request && *request && time_ && (*request)->at >= *time_) return std::nullopt;
    return request;
  }

 private:
  std::unique_ptr<Schedule> all_;
  std::optional<Duration> time_;
  std::optional<std::uint64_t> left_;
};

}  // namespace

std::unique_ptr<Schedule> trace_schedule(traces::Reader reader, const TraceLoop& settings) {
  return std::make_unique<FromTrace>(std::move(reader), settings);
}

Result<std::unique_ptr<Schedule>> make_schedule(const Settings& settings) {
  std::unique_ptr<Schedule> all;
  if (const auto* trace = std::get_if<TraceLoop>(&settings.arrivals)) {
    auto reader = traces::Reader::open(trace->path);
    if (!reader) return reader.error();
    all = trace_schedule(std::move(*reader), *trace);
  } else {
    all = std::make_unique<MadeUp>(settings);
  }
  return std::make_unique<Bounded>(std::move(all), settings);
}

}  // namespace drover::load
