#pragma once
// What a run adds up to.

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "base/json.h"
#include "load/goal.h"
#include "load/histogram.h"

namespace drover::load {

// The percentiles that reports show.
struct Percentile {
  std::string_view name;
  double part;
};
inline constexpr std::array<Percentile, 4> kPercentiles{{{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}}};

// Errors of one kind.
struct ErrorKind {
  End end;
  std::uint64_t count = 0;
  std::string example{};  // the message of the first one
};

// Thread: one. Memory: fixed, whatever the run's length.
class Report {
 public:
  static constexpr std::size_t kMaxKinds = 64;  // those beyond are counted as "other"

  explicit Report(Goal goal) : goal_(std::move(goal)) {}

  void add(const Outcome& outcome);

  std::uint64_t requests() const { return requests_; }
  std::uint64_t count(End end) const { return ends_[static_cast<std::size_t>(end)]; }
  // All that did not end well; what was unfinished when the run was ended is none.
  std::uint64_t errors() const { return requests_ - count(End::ok) - count(End::unfinished); }
  std::uint64_t good() const { return good_; }  // goodput: whole answers within the goal
  const std::map<std::string, ErrorKind>& kinds() const { return kinds_; }

  // Of whole answers; `slip` of all that was sent.
  const Histogram& times(Figure figure) const { return times_[static_cast<std::size_t>(figure)]; }

  Tokens tokens() const { return tokens_; }      // that came, of cut answers too
  Duration span() const { return span_; }        // from the start to the last end
  double per_second(std::uint64_t count) const;  // over the span

  Json json() const;

 private:
  Goal goal_;
  std::uint64_t requests_ = 0;
  std::array<std::uint64_t, kEnds> ends_{};
  std::uint64_t good_ = 0;
  std::map<std::string, ErrorKind> kinds_;
  std::array<Histogram, kFigures.size()> times_;
  Tokens tokens_;
  Tokens prompt_, prompt_read_, asked_, answered_;  // of whole answers
  Duration span_{};
};

}  // namespace drover::load
