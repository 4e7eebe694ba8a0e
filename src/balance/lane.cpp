#include "balance/lane.h"

#include <algorithm>

#include "balance/node.h"

namespace drover::balance {

void Lane::places_changed() {
  candidates.resize(places.size());
  usable = ready = with_free_slot = loadable = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    places[i].version = 0;
    places[i].free_slot = places[i].loadable = false;
    candidates[i].readiness = Readiness::absent;
    candidates[i].turn = &places[i].turn;
  }
}

bool Lane::suffices(const Runner& runner, const std::optional<LoadNeed>& loaded, LoadNeed wanted) const {
  return runner.context.suffices(loaded, wanted, route->settings.context);
}

std::uint64_t Lane::salt() const { return places.empty() ? 0 : places.front().runner->key.value; }

Place& Lane::place_on(const Node& node) {
  return *std::ranges::lower_bound(places, node.spec.id, {}, [](const Place& place) { return place.node->spec.id; });
}

}  // namespace drover::balance
