// A free slot or a short wait: of the nodes with a free slot the one with the fewest taken; if there is none, the
// request waits in a buffer of 30 for 10 s at most (Paddler, src/balancer: upstream peers sorted by slots, buffered
// requests).
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

class Paddler final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call&, std::span<const Backend> backends, Mono, Random&) override {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < backends.size(); ++i) {
      if (backends[i].in_flight >= backends[i].slots) continue;
      if (!best || backends[i].in_flight < backends[*best].in_flight) best = i;
    }
    return best;
  }
  Buffer buffer() const override { return {.most = 30, .longest = std::chrono::seconds(10)}; }
};

}  // namespace

std::unique_ptr<Rival> make_paddler() { return std::make_unique<Paddler>(); }

}  // namespace drover::replay
