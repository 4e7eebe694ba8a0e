#include "balance/cache_model.h"

#include <algorithm>
#include <functional>

namespace drover::balance {

CacheModel::Number CacheModel::read(std::uint32_t kib, Number known, std::uint32_t known_kib, Mono now) {
  const auto old = std::ranges::lower_bound(sequences_, known, std::greater{}, &Sequence::number);
  const bool continues = old != sequences_.end() && old->number == known && 2 * known_kib >= old->kib;
  if (continues) {
    sequences_.erase(old);
  } else if (sequences_.size() == kMost) {
    sequences_.pop_back();
  }
  sequences_.insert(sequences_.begin(), {.number = ++last_, .kib = kib, .used = now});
  return last_;
}

std::optional<CacheModel::Place> CacheModel::find(Number number) const {
  const auto at = std::ranges::lower_bound(sequences_, number, std::greater{}, &Sequence::number);
  if (at == sequences_.end() || at->number != number) return std::nullopt;
  Place place{.rank = static_cast<std::uint32_t>(at - sequences_.begin()), .kib = 0};
  for (std::size_t i = sure_; i <= place.rank; ++i) place.kib += sequences_[i].kib;
  return place;
}

void CacheModel::learn(Place place, bool was_there) {
  if (was_there == holds(place)) return;
  if (was_there) {
    capacity_ = std::max(capacity_, place.kib + place.kib / 4);
  } else if (place.rank < sure_) {
    sure_ -= (sure_ - place.rank + 2) / 3;
  } else {
    capacity_ -= std::min(capacity_, (capacity_ - place.kib + 3) / 3);
  }
}

const CacheModel::Sequence* CacheModel::next_to_go(std::uint32_t kib) const {
  if (sequences_.size() < std::max<std::size_t>(sure_, 1)) return nullptr;
  // The new one is there for sure, and pushes the last of those among the others.
  std::uint32_t others = sure_ == 0 ? kib : 0;
  for (std::size_t i = sure_ == 0 ? 0 : sure_ - 1; i < sequences_.size(); ++i) {
    others += sequences_[i].kib;
    if (others > capacity_) return &sequences_[i];
  }
  return nullptr;
}

}  // namespace drover::balance
