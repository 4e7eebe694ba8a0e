#pragma once
// `p95(ttft)<2s`: what a report must say for the run to have passed.

#include <string>
#include <string_view>
#include <variant>

#include "load/comparison.h"
#include "load/report.h"

namespace drover::load {

class Assertion {
 public:
  // PERCENTILE(FIGURE) RELATION TIME, with p50, p90, p95, p99, max or mean of ttft, tpot, e2e or slip; or COUNT
  // RELATION NUMBER or NUMBER% of all requests, with ok, refused, failed, cut, wrong, dropped, errors or good; or RATE
  // RELATION NUMBER, with requests_per_s, good_per_s or tokens_per_s. Error (invalid): what it cannot read, and what is
  // allowed.
  static Result<Assertion> parse(std::string_view text);

  struct Verdict {
    bool holds;
    std::string seen;  // the value that was compared: "1.25s", "80ms", "3", "0.2%"
  };
  // A time that nothing was measured of holds nothing.
  Verdict check(const Report& report) const;
  const std::string& text() const { return text_; }

 private:
  enum class Rate : std::uint8_t { requests, good, tokens };
  enum class Summary : std::uint8_t { percentile, max, mean };
  struct Time {
    Summary summary;
    double part;
    Figure figure;
    Duration limit;
  };
  enum class Count : std::uint8_t { ok, refused, failed, cut, wrong, dropped, errors, good };
  struct Share {
    Count of;
    bool percent;
    double limit;
  };
  struct Speed {
    Rate of;
    double limit;
  };
  using What = std::variant<Time, Share, Speed>;

  static Result<What> parse_time(const Comparison& text);
  static Result<What> parse_number(const Comparison& text);
  static std::uint64_t count(const Report& report, Count of);

  Verdict check(const Time& time, const Report& report) const;
  Verdict check(const Share& share, const Report& report) const;
  Verdict check(const Speed& speed, const Report& report) const;

  std::string text_;
  What what_;
  Relation relation_ = Relation::less;
};

}  // namespace drover::load
