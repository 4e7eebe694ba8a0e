#pragma once
// What a runner's prompt cache is likely to remember, by what was read there. It is taken to be kept as llama.cpp does:
// each slot remembers the last sequence that it held, and the host's memory those that had to leave their slots, as
// many as fit. The one used least recently goes first. A prompt that continues most of a sequence takes its place.
//
// How many of the last ones are there for sure, and how many KiB of others, nobody says: each answer that tells what
// was found corrects it. So other caches are learned, too: one of blocks, as vLLM has, is all KiB and nothing for sure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace drover::balance {

class CacheModel {
 public:
  static constexpr std::size_t kMost = 128;          // sequences that are told apart; older ones are forgotten
  static constexpr std::uint32_t kFirstGuess = 256;  // KiB beside the slots, until answers tell

  explicit CacheModel(unsigned slots) : sure_(slots) {}

  // Sequences are numbered in the order in which they were used last; 0 is none.
  using Number = std::uint32_t;
  struct Sequence {
    Number number;
    std::uint32_t kib;
    Mono used;
  };
  // Where one stands.
  struct Place {
    std::uint32_t rank;  // so many were used since
    std::uint32_t kib;   // of those that are not there for sure, up to it and itself
  };

  // A prompt of so many KiB is read, of which so many are those of that sequence. Returns its number.
  Number read(std::uint32_t kib, Number known, std::uint32_t known_kib, Mono now);
  std::optional<Place> find(Number number) const;  // nullopt: forgotten
  bool holds(Place place) const { return place.rank < sure_ || place.kib <= capacity_; }
  // An answer told whether what stood there was in the cache.
  void learn(Place place, bool was_there);
  // What goes when a sequence of so many KiB is read that continues none. nullptr: there is room.
  const Sequence* next_to_go(std::uint32_t kib) const;
  bool empty() const { return sequences_.empty(); }
  Number last() const { return last_; }

 private:
  std::vector<Sequence> sequences_;  // the last one used first
  Number last_ = 0;
  std::uint32_t sure_;
  std::uint32_t capacity_ = kFirstGuess;
};

}  // namespace drover::balance
