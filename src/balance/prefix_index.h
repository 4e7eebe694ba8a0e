#pragma once
// Who has read which beginnings of prompts, and what of it is likely to be in a prompt cache still.
//
// A prompt is a chain of hashes (Prompt::prefix), so one hash stands for all of the prompt up to it. The index keeps
// some of them, the marks of a prompt, with the runners that read that far: many at its beginning, where most prompts
// that have anything in common part, fewer behind that, and its end, where the next turn of a conversation goes on.
// Which of them a runner still has is for a model of its cache to say (cache_model.h).
//
// The index itself is a table of fixed size: buckets of kWays entries, of which the least recently used gives way. What
// is compared of a bucket lies in one line of the processor's cache, and so does what an entry says: nearly each is a
// miss, and all are made under the scheduler's lock.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ratio>
#include <span>
#include <vector>

#include "balance/cache_model.h"
#include "balance/events.h"
#include "base/clock.h"

namespace drover::balance {

// A runner's prompt cache, from when the model was loaded on.
using CacheId = std::uint32_t;
inline constexpr CacheId kNoCache = 0;

class PrefixIndex {
 public:
  static constexpr std::size_t kStride = 4;       // links of the chain from a mark to the next: a KiB
  static constexpr std::size_t kWideStride = 16;  // and behind the first kClose links
  static constexpr std::size_t kClose = 32;
  static constexpr double kStrideBytes = static_cast<double>(kStride * kPrefixBlock);
  static constexpr std::size_t kHolders = 7;  // of an entry; what more runners than these have read is everywhere
  static constexpr std::size_t kWays = 8;     // entries of a bucket

  // `entries`: rounded up to a power of two; 72 bytes each.
  explicit PrefixIndex(std::size_t entries);

  // Takes the memory now; else the first prompt does, which takes a millisecond then.
  void prepare() { buckets_.resize(size_); }
  CacheId new_cache(unsigned slots);

  // What a cache is thought to have of a prompt.
  struct Found {
    double bytes = 0;  // likely to be there
    // Read there once, whether it is there still or not, and where that stands: to learn from.
    double read = 0;
    std::optional<CacheModel::Place> place{};
  };
  // Looks a prompt up for all caches at once. `salt`: prompts of different ones have nothing in common. Holds until the
  // next call. False: nobody has read any of it. Cost: O(marks of the prompt that are known).
  bool look_up(std::span<const std::uint64_t> prefix, std::uint64_t salt);
  // What the last look-up found.
  Found found(CacheId cache) const;
  // And when the prompt came that this one continues: the longest that ended within it. nullopt: it begins a
  // conversation, or that one is forgotten.
  std::optional<Mono> continues() const { return continues_; }

  // The cache reads this prompt now. False: it is too short to be remembered. Cost: O(marks of the prompt), of which
  // 64 KiB have 22.
  bool note(CacheId cache, std::span<const std::uint64_t> prefix, std::uint64_t salt, Mono now);
  // What an answer said: so many bytes of the prompt were in the cache, where `found` had been expected.
  void learn(CacheId cache, const Found& found, double cached_bytes);
  const CacheModel& model(CacheId cache) const { return caches_[cache].model; }

 private:
  static constexpr std::uint32_t kEmpty = 0;                              // the tag of an entry that is free
  using Ticks = std::chrono::duration<std::uint32_t, std::ratio<1, 16>>;  // of time: for eight years

  struct Holder {
    CacheId cache = kNoCache;
    CacheModel::Number sequence = 0;  // with which it read this last
  };
  struct alignas(64) Entry {
    std::array<Holder, kHolders> holders{};  // the first ones
    bool everywhere = false;
    bool is_end = false;      // of a prompt, the last of which came
    std::uint32_t ended = 0;  // then, in ticks
  };
  struct alignas(64) Bucket {
    std::array<std::uint32_t, kWays> tags{};  // of the hash what does not say which bucket
    std::array<std::uint32_t, kWays> used{};  // by which note() last
    std::array<Entry, kWays> entries{};
  };
  struct Cache {
    explicit Cache(unsigned slots) : model(slots) {}
    CacheModel model;
    CacheModel::Number looked_at = 0;  // that the last look-up found, whose place is `found.place`
    std::uint64_t look_up = 0;         // which one filled `found`
    Found found{};
  };
  // Where the entry of a mark belongs.
  struct Key {
    std::size_t bucket;
    std::uint32_t tag;
  };
  struct Noted {
    Entry* entry;
    bool is_new;  // what it says is of another prompt still
  };

  Key key_of(std::uint64_t hash, std::uint64_t salt) const;
  const Entry* find(Key key) const;
  Noted find_or_insert(Key key);
  void hold(Entry& entry, CacheId id, CacheModel::Number sequence);
  void found_up_to(const Entry& entry, std::size_t mark, std::size_t before);
  std::size_t oldest_way(const Bucket& bucket) const;
  static std::size_t way_of(const Bucket& bucket, std::uint32_t tag);
  // The sequence with which the cache read it; 0: it has not.
  static CacheModel::Number sequence_of(const Entry& entry, CacheId id);

  std::size_t size_;             // buckets
  std::vector<Bucket> buckets_;  // none until the first prompt
  std::vector<Cache> caches_;    // by id; the first is nobody's
  std::vector<Noted> noted_;     // the marks of the prompt that note() is at
  std::uint64_t look_ups_ = 0;
  std::uint32_t notes_ = 0;
  double everywhere_ = 0;  // bytes of it that the last look-up found
  std::optional<Mono> continues_;
};

}  // namespace drover::balance
