#include "replay/fairness.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace drover::replay {
namespace {

constexpr Duration kWindow = std::chrono::seconds(60);
constexpr Duration kStep = std::chrono::seconds(10);

// How many tokens were served until when, each over the time that it took.
class Served {
 public:
  void add(Mono from, Mono to, double tokens) {
    if (to <= from) to = from + Duration{1};
    const double rate = tokens / seconds(to - from);
    changes_[from] += rate;
    changes_[to] -= rate;
  }
  void finish() {
    double rate = 0, sum = 0;
    Mono last{};
    for (const auto& [at, change] : changes_) {
      sum += rate * seconds(at - last);
      rate += change;
      last = at;
      points_.push_back({at, sum, rate});
    }
  }
  double between(Mono from, Mono to) const { return until(to) - until(from); }

 private:
  struct Point {
    Mono at;
    double sum;   // until then
    double rate;  // from then on
  };
  double until(Mono at) const {
    const auto behind = std::ranges::upper_bound(points_, at, {}, &Point::at);
    if (behind == points_.begin()) return 0;
    const Point& point = *std::prev(behind);
    return point.sum + point.rate * seconds(at - point.at);
  }
  std::map<Mono, double> changes_;  // of the rate
  std::vector<Point> points_;
};

struct Stretch {
  Mono from, to;
};

// When somebody waits.
class Backlog {
 public:
  void add(Mono from, Mono to) {  // in order of `from`
    if (to <= from) return;
    if (!stretches_.empty() && from <= stretches_.back().to) {
      stretches_.back().to = std::max(stretches_.back().to, to);
    } else {
      stretches_.push_back({from, to});
    }
  }
  // When both do.
  std::vector<Stretch> common(const Backlog& other) const {
    std::vector<Stretch> both;
    for (std::size_t i = 0, j = 0; i < stretches_.size() && j < other.stretches_.size();) {
      const Stretch a = stretches_[i], b = other.stretches_[j];
      if (const Stretch each{std::max(a.from, b.from), std::min(a.to, b.to)}; each.from < each.to) both.push_back(each);
      a.to < b.to ? ++i : ++j;
    }
    return both;
  }

 private:
  std::vector<Stretch> stretches_;
};

struct Tenant {
  std::vector<double> end_to_end, waited;
  Served served;
  Backlog backlog;
};

void add(Tenant& tenant, TenantFigures& figures, const Request& request) {
  ++figures.requests;
  if (request.end != End::ok) {
    tenant.end_to_end.push_back(kForever);
    tenant.waited.push_back(kForever);
    tenant.backlog.add(request.arrived, request.ended);
    return;
  }
  ++figures.ok;
  const Mono first = request.first_token.value_or(request.ended);
  const Mono begun = std::max(request.arrived, first - request.usage.prompt_time);
  const double written = kWrittenWeight * request.usage.answer;
  figures.tokens += request.usage.prompt + written;
  tenant.end_to_end.push_back(seconds(request.ended - request.arrived));
  tenant.waited.push_back(seconds(begun - request.arrived));
  tenant.served.add(begun, first, request.usage.prompt);
  tenant.served.add(first, request.ended, written);
  tenant.backlog.add(request.arrived, begun);
}

void compare(const Tenant& a, const Tenant& b, Fairness& fairness) {
  for (const Stretch& both : a.backlog.common(b.backlog)) {
    for (Mono from = both.from; from + kWindow <= both.to; from += kStep) {
      const double one = a.served.between(from, from + kWindow);
      const double other = b.served.between(from, from + kWindow);
      const double most = std::max(one, other);
      const double gap = most > 0 ? std::abs(one - other) / most : 0;
      ++fairness.windows;
      fairness.gap_mean += gap;
      fairness.gap_max = std::max(fairness.gap_max, gap);
    }
  }
}

}  // namespace

Fairness fairness_of(std::span<const Request> requests, std::span<const std::string> names) {
  Fairness fairness;
  std::vector<Tenant> tenants(names.size());
  for (const std::string& name : names) fairness.tenants.push_back({.name = name});
  for (const Request& request : requests) {
    if (request.end == End::left_out) continue;
    const std::size_t number = request.question.tenant;
    add(tenants[number], fairness.tenants[number], request);
  }
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    fairness.tenants[i].end_to_end = summarise(tenants[i].end_to_end);
    fairness.tenants[i].waited = summarise(tenants[i].waited);
    tenants[i].served.finish();
    if (fairness.tenants[i].requests < fairness.tenants[fairness.modest].requests) fairness.modest = i;
  }
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    for (std::size_t j = i + 1; j < tenants.size(); ++j) compare(tenants[i], tenants[j], fairness);
  }
  if (fairness.windows > 0) fairness.gap_mean /= static_cast<double>(fairness.windows);
  return fairness;
}

}  // namespace drover::replay
