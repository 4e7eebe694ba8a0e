#pragma once
// One seed replays a whole run. Each actor gets its own generator by split(), so that one more draw here does not shift
// what happens there.

#include <cstdint>
#include <span>

namespace drover {

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). Not for secrets.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); bound > 0. Lemire's multiply-shift: the bias is below 2^-32 for the bounds used here.
  constexpr std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  // Uniform in [0, 1).
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  constexpr bool chance(double probability) { return uniform() < probability; }
  // An independent generator, determined by this one's state and the salt.
  constexpr Random split(std::uint64_t salt) { return Random{next() ^ (salt * 0xd1342543de82ef95ULL)}; }

 private:
  std::uint64_t state_;
};

// Bytes nobody can guess, from the kernel: for request ids.
void fill_unpredictable(std::span<unsigned char> bytes);

}  // namespace drover
