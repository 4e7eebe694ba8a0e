// One node after the other, each model for itself: the default of nginx's upstreams and most others.
#include <map>

#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

class RoundRobinRival final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call& call, std::span<const Backend> backends, Mono, Random&) override {
    return turns_[call.model]++ % backends.size();
  }

 private:
  std::map<std::size_t, std::size_t> turns_;  // by model
};

}  // namespace

std::unique_ptr<Rival> make_round_robin() { return std::make_unique<RoundRobinRival>(); }

}  // namespace drover::replay
