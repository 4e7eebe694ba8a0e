#include "balance/lane.h"

#include <algorithm>

#include "balance/node.h"

namespace drover::balance {

std::size_t Line::join(Request& request) {
  Request* before = last_;
  std::size_t position = size_ + 1;
  if (before != nullptr && request.arrival < before->arrival) {
    before = nullptr;
    position = 1;
    for (Request* other = first_; other->arrival <= request.arrival; other = other->behind) {
      before = other;
      ++position;
    }
  }
  request.before = before;
  request.behind = before == nullptr ? first_ : before->behind;
  (before == nullptr ? first_ : before->behind) = &request;
  (request.behind == nullptr ? last_ : request.behind->before) = &request;
  ++size_;
  if (request.need != LoadNeed{}) ++special_needs_;
  return position;
}

void Line::leave(Request& request) {
  (request.before == nullptr ? first_ : request.before->behind) = request.behind;
  (request.behind == nullptr ? last_ : request.behind->before) = request.before;
  request.before = request.behind = nullptr;
  --size_;
  if (request.need != LoadNeed{}) --special_needs_;
}

void Lane::places_changed() {
  candidates.resize(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    places[i].version = 0;
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
