#include "balance/prefix_index.h"

#include <algorithm>
#include <bit>

namespace drover::balance {
namespace {

std::uint64_t key_of(std::uint64_t hash, std::uint64_t salt) {
  const std::uint64_t key = hash ^ (salt * 0x9e3779b97f4a7c15ULL);
  return key == 0 ? 1 : key;
}

}  // namespace

PrefixIndex::PrefixIndex(std::size_t entries)
    : size_(std::bit_ceil((std::max<std::size_t>(1, entries) + kWays - 1) / kWays)), caches_(1) {}

CacheId PrefixIndex::new_cache() {
  caches_.emplace_back();
  return static_cast<CacheId>(caches_.size() - 1);
}

PrefixIndex::Entry* PrefixIndex::find(std::uint64_t key) {
  if (buckets_.empty()) return nullptr;
  Bucket& bucket = buckets_[key & (size_ - 1)];
  const auto entry = std::ranges::find(bucket, key, &Entry::key);
  return entry == bucket.end() ? nullptr : &*entry;
}

PrefixIndex::Entry& PrefixIndex::find_or_insert(std::uint64_t key) {
  if (Entry* entry = find(key)) return *entry;
  Bucket& bucket = buckets_[key & (size_ - 1)];
  Entry& oldest = *std::ranges::max_element(
      bucket, {}, [&](const Entry& entry) { return entry.key == 0 ? std::uint64_t{1} << 32 : notes_ - entry.used; });
  oldest = {.key = key};
  return oldest;
}

bool PrefixIndex::look_up(std::span<const std::uint64_t> prefix, std::uint64_t salt) {
  ++look_ups_;
  everywhere_ = 0;
  double bytes = 0;
  for (std::size_t i = kStride - 1; i < prefix.size(); i += kStride) {
    const Entry* entry = find(key_of(prefix[i], salt));
    if (entry == nullptr) break;
    const double before = bytes;
    bytes += kEntryBytes;
    for (const Holder& holder : entry->holders) {
      if (holder.cache == kNoCache) break;
      Cache& cache = caches_[holder.cache];
      if (cache.look_up != look_ups_) {
        cache.look_up = look_ups_;
        cache.found = {};
      }
      if (std::max(cache.found.read, everywhere_) < before) continue;  // an entry before this one has forgotten it
      cache.found.read = bytes;
      cache.found.since = cache.read - holder.read;
      if (cache.found.since <= cache.capacity) cache.found.bytes = bytes;
    }
    if (entry->everywhere) everywhere_ = bytes;
  }
  return bytes > 0;
}

PrefixIndex::Found PrefixIndex::found(CacheId id) const {
  const Cache& cache = caches_[id];
  Found found = cache.look_up == look_ups_ ? cache.found : Found{};
  if (cache.read > 0) found.bytes = std::max(found.bytes, everywhere_);
  return found;
}

void PrefixIndex::note(CacheId id, std::span<const std::uint64_t> prefix, std::uint64_t salt) {
  const auto is_here = [&](const Holder& holder) { return holder.cache == id; };
  if (prefix.size() < kStride) return;
  ++notes_;
  if (buckets_.empty()) prepare();
  // What is new counts as read before any of the prompt is marked: all of it is equally old then.
  Cache& cache = caches_[id];
  for (std::size_t i = kStride - 1; i < prefix.size(); i += kStride) {
    const Entry* entry = find(key_of(prefix[i], salt));
    if (entry == nullptr || std::ranges::none_of(entry->holders, is_here)) ++cache.read;
  }
  for (std::size_t i = kStride - 1; i < prefix.size(); i += kStride) {
    Entry& entry = find_or_insert(key_of(prefix[i], salt));
    entry.used = notes_;
    auto holder = std::ranges::find_if(
        entry.holders, [&](const Holder& other) { return other.cache == id || other.cache == kNoCache; });
    if (holder == entry.holders.end()) {
      entry.everywhere = true;
      // Of these the one where most has been read since.
      holder = std::ranges::max_element(entry.holders, {},
                                        [&](const Holder& other) { return caches_[other.cache].read - other.read; });
    }
    *holder = {.cache = id, .read = cache.read};
  }
}

void PrefixIndex::learn(CacheId id, const Found& found, double cached_bytes) {
  if (found.read == 0) return;
  Cache& cache = caches_[id];
  if (cached_bytes * 2 >= found.read) {
    cache.capacity = std::max(cache.capacity, found.since + found.since / 4);
  } else if (found.since <= cache.capacity) {
    cache.capacity = std::max(kLeast, cache.capacity - (cache.capacity - found.since) / 3);
  }
}

}  // namespace drover::balance
