#include "balance/request_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace drover::balance {

bool Request::may_use(NodeId node_id) const {
  if (pinned) return *pinned == node_id;
  return std::ranges::find(excluded, node_id) == excluded.end();
}

RequestTable::RequestTable() : index_(64, nullptr) {}

std::size_t RequestTable::home(RequestId id) const {
  // Fibonacci hashing: the upper bits of the product are well mixed even for ids that count upwards.
  const int bits = std::countr_zero(index_.size());
  return static_cast<std::size_t>((id.value * 0x9e3779b97f4a7c15ULL) >> (64 - bits));
}

Request* RequestTable::find(RequestId id) {
  for (std::size_t i = home(id); index_[i] != nullptr; i = next(i)) {
    if (index_[i]->id == id) return index_[i];
  }
  return nullptr;
}

Request& RequestTable::add(RequestId id) {
  CHECK(find(id) == nullptr);
  if ((size_ + 1) * 2 > index_.size()) grow();
  if (free_.empty()) {
    const auto& block = blocks_.emplace_back(std::make_unique<Request[]>(kBlock));
    for (std::size_t i = kBlock; i > 0; --i) free_.push_back(&block[i - 1]);
  }
  Request* request = free_.back();
  free_.pop_back();
  request->id = id;
  place(request);
  ++size_;
  return *request;
}

void RequestTable::remove(Request& request) {
  std::size_t hole = home(request.id);
  while (index_[hole] != &request) {
    CHECK(index_[hole] != nullptr);
    hole = next(hole);
  }
  // Move back what stood behind the hole, unless it would come to stand before its home.
  const std::size_t mask = index_.size() - 1;
  for (std::size_t i = next(hole); index_[i] != nullptr; i = next(i)) {
    const std::size_t from_home = (i - home(index_[i]->id)) & mask;
    const std::size_t from_hole = (i - hole) & mask;
    if (from_home < from_hole) continue;
    index_[hole] = index_[i];
    hole = i;
  }
  index_[hole] = nullptr;
  --size_;

  auto excluded = std::move(request.excluded);
  excluded.clear();
  request = Request{};
  request.excluded = std::move(excluded);
  free_.push_back(&request);
}

void RequestTable::place(Request* request) {
  std::size_t i = home(request->id);
  while (index_[i] != nullptr) i = next(i);
  index_[i] = request;
}

void RequestTable::grow() {
  std::vector<Request*> old(index_.size() * 2, nullptr);
  old.swap(index_);
  for (Request* request : old) {
    if (request != nullptr) place(request);
  }
}

}  // namespace drover::balance
