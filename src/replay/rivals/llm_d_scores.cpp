// The highest weighted sum of scores from 0 to 1: how much of the prompt is known (3), how short the queue is (2), how
// much of the cache is free (2): the scorers that Gateway API Inference Extension and llm-d's router begin with
// (config/charts/inferencepool: prefix-cache-scorer, queue-scorer, kv-cache-utilization-scorer, max-score-picker).
//
// An endpoint's queue and its cache are those that its slots and the requests in flight make, as of now: no poll is
// late.
#include <algorithm>

#include "replay/rivals/prefix_memory.h"
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

constexpr std::size_t kBlocks = 31'250;  // of an endpoint
constexpr double kPrefix = 3;
constexpr double kQueue = 2;
constexpr double kFreeCache = 2;

double queue_of(const Backend& backend) {
  return backend.in_flight > backend.slots ? backend.in_flight - backend.slots : 0;
}

class LlmDScores final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call& call, std::span<const Backend> backends, Mono, Random& random) override {
    const auto [shortest, longest] = std::ranges::minmax(backends, {}, queue_of);
    const double least = queue_of(shortest), most = queue_of(longest);
    std::size_t best = 0;
    double highest = -1;
    std::uint64_t equal = 0;
    for (std::size_t i = 0; i < backends.size(); ++i) {
      const Backend& backend = backends[i];
      const double queue = most > least ? (most - queue_of(backend)) / (most - least) : 1;
      const double taken = std::min(1.0, static_cast<double>(backend.in_flight) / backend.slots);
      const double score = kPrefix * indexes_.of(call.model, backend.node).share(call.prefix) + kQueue * queue +
                           kFreeCache * (1 - taken);
      if (score < highest) continue;
      equal = score > highest ? 1 : equal + 1;
      highest = score;
      if (random.below(equal) == 0) best = i;
    }
    indexes_.of(call.model, backends[best].node).remember(call.prefix);
    return best;
  }

 private:
  PrefixMemories indexes_{kBlocks};
};

}  // namespace

std::unique_ptr<Rival> make_llm_d_scores() { return std::make_unique<LlmDScores>(); }

}  // namespace drover::replay
