#include "calibrate/rehearsal.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "engine/runner.h"

namespace drover::calibrate {
namespace {

using engine::Piece;
using engine::Sequence;

// Requests that end and begin within this are one after another: times are given in milliseconds.
constexpr double kOneAfterAnother = 0.002;
// Requests of one moment, and how far apart their reading begins if they are not read together.
constexpr double kMoment = 0.005;
constexpr double kLate = 0.02;

Duration to_duration(double time) { return Duration{std::llround(time * 1e9)}; }

// Prompts that have in common what those of the run had: all begin alike by a token, a request that shares begins like
// its base, and a prompt of a conversation goes on from the one before it. (Not from its answer: random weights give
// text that becomes other tokens when it comes back.)
class Prompts {
 public:
  explicit Prompts(std::span<const Measurement> rows) : rows_(rows) {}

  Sequence of(std::size_t index) {
    const Measurement& row = rows_[index];
    if (row.shares) {
      Sequence prompt = base_;
      return continued(std::move(prompt), row.prompt);
    }
    if (row.base) {
      // As much of it as the next one was found to share.
      const std::uint32_t shared = index + 1 < rows_.size() && rows_[index + 1].shares ? rows_[index + 1].cached : 0;
      base_ = continued({}, std::clamp(shared, 1U, row.prompt));
      return continued(base_, row.prompt);
    }
    if (row.talk.empty()) return continued({}, row.prompt);
    Sequence& talk = talks_[row.talk];
    // A conversation that became shorter began anew.
    if (engine::token_count(talk) >= row.prompt) talk.clear();
    talk = continued(std::move(talk), row.prompt);
    return talk;
  }

 private:
  Sequence continued(Sequence sequence, std::uint32_t tokens) {
    if (sequence.empty()) sequence.emplace_back(0);
    const auto known = static_cast<std::uint32_t>(engine::token_count(sequence));
    if (tokens > known) sequence.emplace_back(++last_, tokens - known);
    return sequence;
  }

  std::span<const Measurement> rows_;
  engine::TokenHash last_ = 0;
  Sequence base_;
  std::map<std::string, Sequence> talks_;
};

class Rehearsal {
 public:
  Rehearsal(const Recording& recording, const engine::StepCosts& costs, Reuse reuse, const Orders& orders)
      : recording_(recording),
        costs_(costs),
        reuse_(reuse),
        orders_(orders),
        runner_(fresh()),
        times_(recording.rows.size()),
        submitted_(recording.rows.size()) {}

  std::vector<Times> all() {
    const auto& rows = recording_.rows;
    for (std::size_t from = 0; from < rows.size();) {
      std::size_t to = from;
      while (to < rows.size() && rows[to].scenario == rows[from].scenario) ++to;
      if (rows[from].scenario == "load") {
        runner_ = fresh();
      } else {
        scenario(from, to);
      }
      from = to;
    }
    return std::move(times_);
  }

 private:
  engine::Runner fresh() const {
    engine::RunnerSettings settings{.slots = recording_.slots, .context = recording_.context, .every_token = false};
    if (!recording_.host_cache) settings.host_cache = 0;
    return engine::Runner(costs_, settings);
  }

  // Requests that overlap are sent at their times; the first of them when all before it have ended.
  void scenario(std::size_t from, std::size_t to) {
    const auto& rows = recording_.rows;
    Prompts prompts(std::span(rows).subspan(from, to - from));
    double ended = rows[from].sent;  // in the time of the measurement
    for (std::size_t first = from; first < to;) {
      const double idle = std::max(rows[first].sent - ended, 0.0);
      std::size_t last = first;
      for (; last < to; ++last) {
        const bool overlaps = rows[last].open_loop || last == first || rows[last].sent < ended - kOneAfterAnother;
        if (!overlaps) break;
        ended = std::max(ended, rows[last].sent + rows[last].last);
      }
      burst(first, last, now_ + to_duration(idle), [&](std::size_t index) { return prompts.of(index - from); });
      first = last;
    }
  }

  template <typename PromptOf>
  void burst(std::size_t from, std::size_t to, Mono begin, PromptOf prompt_of) {
    const auto& rows = recording_.rows;
    struct Turn {
      Mono at;
      std::size_t rank;
      std::size_t row;
      auto operator<=>(const Turn&) const = default;
    };
    std::vector<Turn> turns;
    std::vector<Sequence> prompts;
    for (std::size_t i = from; i < to; ++i) {
      submitted_[i] = begin + to_duration(rows[i].sent - rows[from].sent);
      turns.push_back({of_first_moment(from, i) ? begin + late(from, to, i) : submitted_[i], rank(from, i), i});
      prompts.push_back(prompt_of(i));
    }
    std::ranges::sort(turns);
    for (const Turn& turn : turns) submit(turn.row, std::move(prompts[turn.row - from]), turn.at);
    finish();
  }

  std::size_t rank(std::size_t from, std::size_t index) const {
    const auto order = orders_.find(from);
    if (order == orders_.end()) return index;
    return static_cast<std::size_t>(std::ranges::find(order->second, index) - order->second.begin());
  }

  bool of_first_moment(std::size_t from, std::size_t index) const {
    return !recording_.rows[index].open_loop && recording_.rows[index].sent <= recording_.rows[from].sent + kMoment;
  }

  // How long after the first of its moment the reading of this one began, if it could have been read with that.
  Duration late(std::size_t from, std::size_t to, std::size_t index) const {
    const auto& rows = recording_.rows;
    const auto begun = [&](std::size_t i) { return rows[i].sent + rows[i].first - rows[i].reading; };
    double earliest = begun(index);
    std::uint32_t tokens = 0;
    for (std::size_t i = from; i < to && of_first_moment(from, i); ++i) {
      earliest = std::min(earliest, begun(i));
      tokens += rows[i].prompt - rows[i].cached;
    }
    const double after = begun(index) - earliest;
    return after > kLate && tokens <= runner_.settings().batch ? to_duration(after) : Duration{};
  }

  void submit(std::size_t index, Sequence prompt, Mono at) {
    const Measurement& row = recording_.rows[index];
    advance(at);
    engine::Job job{.id = engine::JobId{index}, .prompt = std::move(prompt), .answer = row.answer};
    if (reuse_ == Reuse::given) job.cached = row.cached;
    job.token = [index](std::uint32_t token) { return ((index + 1) << 32) + token; };
    runner_.submit(std::move(job), at);
  }

  void advance(Mono to) {
    now_ = std::max(now_, to);
    take();
  }

  void finish() {
    while (runner_.next_event() != kNever) {
      now_ = runner_.next_event();
      take();
    }
  }

  void take() {
    events_.clear();
    runner_.advance(now_, events_);
    for (const engine::RunnerEvent& event : events_) {
      Times& times = times_[event.job.value];
      const double since = seconds(event.at - submitted_[event.job.value]);
      if (event.kind == engine::RunnerEvent::Kind::token) {
        times.first = since;
      } else {
        times.last = since;
        times.cached = event.usage.cached;
      }
    }
  }

  const Recording& recording_;
  const engine::StepCosts& costs_;
  Reuse reuse_;
  const Orders& orders_;
  engine::Runner runner_;
  Mono now_{};
  std::vector<Times> times_;
  std::vector<Mono> submitted_;
  std::vector<engine::RunnerEvent> events_;
};

}  // namespace

Orders moments_of(const Recording& recording) {
  const auto& rows = recording.rows;
  Orders moments;
  double ended = 0;
  for (std::size_t from = 0, i = 0; i < rows.size(); ++i) {
    const bool new_scenario = i == 0 || rows[i].scenario != rows[i - 1].scenario;
    if (new_scenario) ended = rows[i].sent;
    if (new_scenario || rows[i].sent >= ended - kOneAfterAnother) from = i;
    ended = std::max(ended, rows[i].sent + rows[i].last);
    if (!rows[i].open_loop && rows[i].sent <= rows[from].sent + kMoment) moments[from].push_back(i);
  }
  std::erase_if(moments, [](const auto& moment) { return moment.second.size() < 2; });
  return moments;
}

std::vector<Times> rehearse(const Recording& recording, const engine::StepCosts& costs, Reuse reuse,
                            const Orders& orders) {
  return Rehearsal(recording, costs, reuse, orders).all();
}

}  // namespace drover::calibrate
