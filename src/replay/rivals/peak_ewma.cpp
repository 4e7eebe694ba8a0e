// Of two random nodes the one with the lower product of expected latency and outstanding requests. The expectation
// jumps up to each slower answer at once and decays with time: Finagle's Peak EWMA, as tower and Linkerd have it
// (tower/src/load/peak_ewma.rs: first guess 1 s, decay 10 s). Latency is that of whole answers, as in Finagle.
#include <cmath>
#include <map>

#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

constexpr double kFirstGuess = 1;  // seconds
constexpr double kDecay = 10;      // seconds

class PeakEwma final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call&, std::span<const Backend> backends, Mono now, Random& random) override {
    if (backends.size() == 1) return 0;
    const std::size_t first = random.below(backends.size());
    const std::size_t second = (first + 1 + random.below(backends.size() - 1)) % backends.size();
    return cost(backends[second], now) < cost(backends[first], now) ? second : first;
  }

  void ended(const Answered& answer) override {
    Latency& latency = latencies_[answer.node];
    const double took = seconds(answer.durations.total);
    const double kept = weight(latency, answer.now);
    latency.estimate = took > latency.estimate ? took : latency.estimate * kept + took * (1 - kept);
    latency.at = answer.now;
  }

 private:
  struct Latency {
    double estimate = kFirstGuess;
    Mono at{};
  };
  static double weight(const Latency& latency, Mono now) { return std::exp(-seconds(now - latency.at) / kDecay); }
  double cost(const Backend& backend, Mono now) {
    const Latency& latency = latencies_[backend.node];
    return latency.estimate * weight(latency, now) * (backend.in_flight + 1);
  }

  std::map<std::size_t, Latency> latencies_;  // by node
};

}  // namespace

std::unique_ptr<Rival> make_peak_ewma() { return std::make_unique<PeakEwma>(); }

}  // namespace drover::replay
