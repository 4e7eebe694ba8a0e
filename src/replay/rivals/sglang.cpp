// Where most of the prompt is known, unless the load is out of balance: SGLang's cache-aware router
// (sgl-model-gateway/src/policies/cache_aware.rs) with the thresholds of its command line. Its tree over characters is
// one over blocks of 256 bytes here; its size is 2^26 characters a worker.
#include <algorithm>

#include "replay/rivals/prefix_memory.h"
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

constexpr double kCacheThreshold = 0.3;
constexpr unsigned kBalanceAbsolute = 64;
constexpr double kBalanceRelative = 1.5;
constexpr std::size_t kTreeBlocks = (std::size_t{1} << 26) / 256;

class Sglang final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call& call, std::span<const Backend> backends, Mono, Random&) override {
    const std::size_t chosen = choose(call, backends);
    trees_.of(call.model, backends[chosen].node).remember(call.prefix);
    return chosen;
  }

 private:
  std::size_t choose(const Call& call, std::span<const Backend> backends) {
    const auto [least, most] = std::ranges::minmax_element(backends, {}, &Backend::in_flight);
    const auto shortest = static_cast<std::size_t>(least - backends.begin());
    const bool imbalanced =
        most->in_flight - least->in_flight > kBalanceAbsolute && most->in_flight > kBalanceRelative * least->in_flight;
    if (imbalanced) return shortest;
    std::size_t best = 0;
    double matched = 0;
    for (std::size_t i = 0; i < backends.size(); ++i) {
      const double share = trees_.of(call.model, backends[i].node).share(call.prefix);
      if (share <= matched) continue;
      matched = share;
      best = i;
    }
    return matched > kCacheThreshold ? best : shortest;
  }

  PrefixMemories trees_{kTreeBlocks};
};

}  // namespace

std::unique_ptr<Rival> make_sglang() { return std::make_unique<Sglang>(); }

}  // namespace drover::replay
