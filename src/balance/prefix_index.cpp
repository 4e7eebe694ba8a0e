#include "balance/prefix_index.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace drover::balance {
namespace {

// The mark of any prompt behind that one, by links of the chain.
constexpr std::size_t mark_behind(std::size_t mark) {
  return mark + (mark < PrefixIndex::kClose ? PrefixIndex::kStride : PrefixIndex::kWideStride);
}

// A prompt is marked where all are, and where it ends.
template <typename Visit>
void for_each_mark(std::size_t links, Visit visit) {
  const std::size_t end = links - links % PrefixIndex::kStride;
  for (std::size_t before = 0; before < end;) {
    const std::size_t mark = std::min(mark_behind(before), end);
    visit(mark, before);
    before = mark;
  }
}

constexpr double bytes_up_to(std::size_t mark) { return static_cast<double>(mark * kPrefixBlock); }

}  // namespace

PrefixIndex::PrefixIndex(std::size_t entries)
    : size_(std::bit_ceil((std::max<std::size_t>(1, entries) + kWays - 1) / kWays)), caches_(1, Cache(0)) {}

CacheId PrefixIndex::new_cache(unsigned slots) {
  caches_.emplace_back(slots);
  return static_cast<CacheId>(caches_.size() - 1);
}

PrefixIndex::Key PrefixIndex::key_of(std::uint64_t hash, std::uint64_t salt) const {
  const std::uint64_t key = hash ^ (salt * 0x9e3779b97f4a7c15ULL);
  return {key & (size_ - 1), std::max(kEmpty + 1, static_cast<std::uint32_t>(key >> 32))};
}

CacheModel::Number PrefixIndex::sequence_of(const Entry& entry, CacheId id) {
  const auto holder = std::ranges::find(entry.holders, id, &Holder::cache);
  return holder == entry.holders.end() ? 0 : holder->sequence;
}

// Which of a bucket's entries has the tag; kWays: none.
std::size_t PrefixIndex::way_of(const Bucket& bucket, std::uint32_t tag) {
  std::uint32_t ways = 1U << kWays;
  for (std::size_t way = 0; way < kWays; ++way) ways |= (bucket.tags[way] == tag ? 1U : 0U) << way;
  return static_cast<std::size_t>(std::countr_zero(ways));
}

const PrefixIndex::Entry* PrefixIndex::find(Key key) const {
  if (buckets_.empty()) return nullptr;
  const Bucket& bucket = buckets_[key.bucket];
  const std::size_t way = way_of(bucket, key.tag);
  return way == kWays ? nullptr : &bucket.entries[way];
}

PrefixIndex::Noted PrefixIndex::find_or_insert(Key key) {
  Bucket& bucket = buckets_[key.bucket];
  std::size_t way = way_of(bucket, key.tag);
  const bool is_new = way == kWays;
  if (is_new) {
    way = way_of(bucket, kEmpty);
    if (way == kWays) way = oldest_way(bucket);
    bucket.tags[way] = key.tag;
    __builtin_prefetch(&bucket.entries[way], 1);
  }
  bucket.used[way] = notes_;
  return {&bucket.entries[way], is_new};
}

// By arithmetic: a branch could only be guessed.
std::size_t PrefixIndex::oldest_way(const Bucket& bucket) const {
  std::uint64_t oldest = 0;
  for (std::size_t way = 0; way < kWays; ++way) {
    oldest = std::max(oldest, std::uint64_t{notes_ - bucket.used[way]} << 32 | way);
  }
  return oldest % kWays;
}

void PrefixIndex::hold(Entry& entry, CacheId id, CacheModel::Number sequence) {
  auto holder = std::ranges::find_if(entry.holders,
                                     [&](const Holder& other) { return other.cache == id || other.cache == kNoCache; });
  if (holder == entry.holders.end()) {
    entry.everywhere = true;
    // Of these the one where most was read since.
    holder = std::ranges::max_element(
        entry.holders, {}, [&](const Holder& other) { return caches_[other.cache].model.last() - other.sequence; });
  }
  *holder = {.cache = id, .sequence = sequence};
}

void PrefixIndex::found_up_to(const Entry& entry, std::size_t mark, std::size_t before) {
  for (const Holder& holder : entry.holders) {
    if (holder.cache == kNoCache) break;
    Cache& cache = caches_[holder.cache];
    if (cache.look_up != look_ups_) {
      cache.look_up = look_ups_;
      cache.looked_at = 0;
      cache.found = {};
    }
    // A mark before this one has forgotten it.
    if (std::max(cache.found.read, everywhere_) < bytes_up_to(before)) continue;
    cache.found.read = bytes_up_to(mark);
    if (std::exchange(cache.looked_at, holder.sequence) != holder.sequence) {
      cache.found.place = cache.model.find(holder.sequence);
    }
    if (cache.found.place && cache.model.holds(*cache.found.place)) cache.found.bytes = cache.found.read;
  }
  if (entry.everywhere) everywhere_ = bytes_up_to(mark);
}

bool PrefixIndex::look_up(std::span<const std::uint64_t> prefix, std::uint64_t salt) {
  ++look_ups_;
  everywhere_ = 0;
  continues_.reset();
  const auto find_mark = [&](std::size_t mark) {
    const Entry* const entry = find(key_of(prefix[mark - 1], salt));
    if (entry != nullptr && entry->is_end) continues_ = Mono{Ticks(entry->ended)};
    return entry;
  };
  std::size_t known = 0;
  std::size_t next = mark_behind(known);
  for (; next <= prefix.size(); next = mark_behind(known)) {
    const Entry* const entry = find_mark(next);
    if (entry == nullptr) break;
    found_up_to(*entry, next, known);
    known = next;
  }
  // A prompt may have ended before the next mark.
  for (std::size_t end = known + kStride; end < next && end <= prefix.size(); end += kStride) {
    if (const Entry* const entry = find_mark(end)) found_up_to(*entry, end, known);
  }
  return known > 0;
}

PrefixIndex::Found PrefixIndex::found(CacheId id) const {
  const Cache& cache = caches_[id];
  Found found = cache.look_up == look_ups_ ? cache.found : Found{};
  if (!cache.model.empty()) found.bytes = std::max(found.bytes, everywhere_);
  return found;
}

bool PrefixIndex::note(CacheId id, std::span<const std::uint64_t> prefix, std::uint64_t salt, Mono now) {
  if (prefix.size() < kStride) return false;
  ++notes_;
  if (buckets_.empty()) prepare();
  // Each of these is far away in memory: asked for at once, they come together.
  for_each_mark(prefix.size(), [&](std::size_t mark, std::size_t) {
    __builtin_prefetch(&buckets_[key_of(prefix[mark - 1], salt).bucket], 1);
  });
  noted_.clear();
  CacheModel::Number known = 0;  // the sequence that knows most of it
  std::size_t known_links = 0;
  for_each_mark(prefix.size(), [&](std::size_t mark, std::size_t) {
    const Noted noted = find_or_insert(key_of(prefix[mark - 1], salt));
    noted_.push_back(noted);
    const auto sequence = noted.is_new ? 0 : sequence_of(*noted.entry, id);
    if (sequence == 0) return;
    known = sequence;
    known_links = mark;
  });
  const auto kib = [](std::size_t links) { return static_cast<std::uint32_t>(links / kStride); };
  const auto sequence = caches_[id].model.read(kib(prefix.size()), known, kib(known_links), now);
  for (const auto [entry, is_new] : noted_) {
    if (is_new) *entry = {};
    hold(*entry, id, sequence);
  }
  Entry& end = *noted_.back().entry;
  end.is_end = true;
  end.ended = std::chrono::duration_cast<Ticks>(now.time_since_epoch()).count();
  return true;
}

void PrefixIndex::learn(CacheId id, const Found& found, double cached_bytes) {
  if (found.place) caches_[id].model.learn(*found.place, 2 * cached_bytes >= found.read);
}

}  // namespace drover::balance
