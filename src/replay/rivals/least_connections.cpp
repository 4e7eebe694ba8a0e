// The node with the fewest requests in flight, ties at random: nginx's least_conn, HAProxy's leastconn, LiteLLM's
// least-busy.
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

class LeastConnectionsRival final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call&, std::span<const Backend> backends, Mono, Random& random) override {
    std::size_t best = 0;
    std::uint64_t equal = 0;
    for (std::size_t i = 0; i < backends.size(); ++i) {
      if (backends[i].in_flight > backends[best].in_flight) continue;
      equal = backends[i].in_flight < backends[best].in_flight ? 1 : equal + 1;
      if (random.below(equal) == 0) best = i;
    }
    return best;
  }
};

}  // namespace

std::unique_ptr<Rival> make_least_connections() { return std::make_unique<LeastConnectionsRival>(); }

}  // namespace drover::replay
