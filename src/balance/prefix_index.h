#pragma once
// Who has read which beginnings of prompts, and what of it is likely to be in a prompt cache still.
//
// A prompt is a chain of hashes (Prompt::prefix), so one hash stands for all of the prompt up to it. The index keeps
// every kStride-th of them with the runners that read that far. A runner's cache is taken for a memory of so many
// entries, least recently used out first: a beginning is in it as long as fewer have been read there since (R. Mattson
// and others: Evaluation techniques for storage hierarchies, 1970, whose stack distance this is). How many, nobody
// says: each answer that tells what was found corrects it.
//
// The index itself is a table of fixed size: buckets of kWays entries, of which the least recently used gives way.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "balance/events.h"

namespace drover::balance {

// A runner's prompt cache, from when the model was loaded on.
using CacheId = std::uint32_t;
inline constexpr CacheId kNoCache = 0;

class PrefixIndex {
 public:
  static constexpr std::size_t kStride = 4;  // links of the chain an entry
  static constexpr double kEntryBytes = static_cast<double>(kStride * kPrefixBlock);
  static constexpr std::size_t kHolders = 8;  // of an entry; what more runners than these have read is everywhere
  static constexpr std::size_t kWays = 8;     // entries of a bucket
  static constexpr std::uint32_t kFirstGuess = 1024;  // entries that a cache holds, until answers tell
  static constexpr std::uint32_t kLeast = 16;         // and what is believed of the worst

  // `entries`: rounded up to a power of two; 80 bytes each.
  explicit PrefixIndex(std::size_t entries);

  // Takes the memory now; else the first prompt does, which takes a millisecond then.
  void prepare() { buckets_.resize(size_); }
  CacheId new_cache();

  // What a cache is thought to have of a prompt.
  struct Found {
    double bytes = 0;  // likely to be there
    // Read there once, whether it is there still or not, and how many entries were read there since: to learn from.
    double read = 0;
    std::uint32_t since = 0;
  };
  // Looks a prompt up for all caches at once. `salt`: prompts of different ones have nothing in common. Holds until the
  // next call. False: nobody has read any of it. Cost: O(entries of the prompt that are known).
  bool look_up(std::span<const std::uint64_t> prefix, std::uint64_t salt);
  // What the last look-up found.
  Found found(CacheId cache) const;

  // The cache reads this prompt now. Cost: O(entries of the prompt).
  void note(CacheId cache, std::span<const std::uint64_t> prefix, std::uint64_t salt);
  // What an answer said: so many bytes of the prompt were in the cache, where `found` had been expected.
  void learn(CacheId cache, const Found& found, double cached_bytes);
  std::uint32_t capacity(CacheId cache) const { return caches_[cache].capacity; }  // entries

 private:
  struct Holder {
    CacheId cache = kNoCache;
    std::uint32_t read = 0;  // Cache::read when it read this last
  };
  struct Entry {
    std::uint64_t key = 0;   // 0: empty
    std::uint32_t used = 0;  // by which note() last
    bool everywhere = false;
    std::array<Holder, kHolders> holders{};  // the first ones
  };
  using Bucket = std::array<Entry, kWays>;
  struct Cache {
    std::uint32_t read = 0;  // entries that were new to it
    std::uint32_t capacity = kFirstGuess;
    std::uint64_t look_up = 0;  // which one filled `found`
    Found found{};
  };

  Entry* find(std::uint64_t key);
  Entry& find_or_insert(std::uint64_t key);

  std::size_t size_;             // buckets
  std::vector<Bucket> buckets_;  // none until the first prompt
  std::vector<Cache> caches_;    // by id; the first is nobody's
  std::uint64_t look_ups_ = 0;
  std::uint32_t notes_ = 0;
  double everywhere_ = 0;  // bytes of it that the last look-up found
};

}  // namespace drover::balance
