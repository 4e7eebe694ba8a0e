// The best match whose load is no more than one standard deviation above the mean; the fewest requests where loads are
// more than 8 apart or nobody matches: AIBrix's prefix-cache policy (pkg/plugins/gateway/algorithms/prefix_cache.go).
#include <algorithm>
#include <cmath>

#include "replay/rivals/prefix_memory.h"
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

constexpr unsigned kImbalance = 8;
constexpr double kDeviations = 1;
constexpr std::size_t kBlocks = 100'000;  // of a node

class Aibrix final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call& call, std::span<const Backend> backends, Mono, Random&) override {
    const std::size_t chosen = choose(call, backends);
    memories_.of(call.model, backends[chosen].node).remember(call.prefix);
    return chosen;
  }

 private:
  std::size_t choose(const Call& call, std::span<const Backend> backends) {
    const auto [least, most] = std::ranges::minmax_element(backends, {}, &Backend::in_flight);
    const auto shortest = static_cast<std::size_t>(least - backends.begin());
    if (most->in_flight - least->in_flight > kImbalance) return shortest;
    const double bound = load_bound(backends);
    std::optional<std::size_t> best;
    double best_share = 0;
    for (std::size_t i = 0; i < backends.size(); ++i) {
      const double share = memories_.of(call.model, backends[i].node).share(call.prefix);
      if (share == 0 || backends[i].in_flight > bound) continue;
      const bool better =
          !best || share > best_share || (share == best_share && backends[i].in_flight < backends[*best].in_flight);
      if (!better) continue;
      best = i;
      best_share = share;
    }
    return best.value_or(shortest);
  }

  static double load_bound(std::span<const Backend> backends) {
    const auto count = static_cast<double>(backends.size());
    double sum = 0;
    double squares = 0;
    for (const Backend& backend : backends) {
      sum += backend.in_flight;
      squares += static_cast<double>(backend.in_flight) * backend.in_flight;
    }
    const double mean = sum / count;
    return mean + kDeviations * std::sqrt(std::max(0.0, squares / count - mean * mean));
  }

  PrefixMemories memories_{kBlocks};
};

}  // namespace

std::unique_ptr<Rival> make_aibrix() { return std::make_unique<Aibrix>(); }

}  // namespace drover::replay
