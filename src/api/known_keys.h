#pragma once
// The names that something knows, each with what it stands for. Made by the compiler; a look-up compares about one.

#include <array>
#include <bit>
#include <cstddef>
#include <string_view>

namespace drover::api {

template <typename Meaning>
struct KnownKey {
  std::string_view text;  // not empty, no two alike
  Meaning meaning;
};

// Hashing with open addressing (linear probing) by the length and the ends of a name.
template <typename Meaning, std::size_t kCount>
class KnownKeys {
 public:
  using Known = KnownKey<Meaning>;

  // NOLINTNEXTLINE(modernize-avoid-c-arrays): so that the count need not be written
  consteval explicit KnownKeys(const Known (&keys)[kCount]) {
    for (const Known& known : keys) {
      std::size_t at = slot(known.text);
      while (!slots_[at].text.empty()) at = (at + 1) % kSlots;
      slots_[at] = known;
    }
  }

  // What `text` stands for; nullptr: it is none of them.
  constexpr const Meaning* find(std::string_view text) const {
    if (text.empty()) return nullptr;
    for (std::size_t at = slot(text); !slots_[at].text.empty(); at = (at + 1) % kSlots) {
      if (slots_[at].text == text) return &slots_[at].meaning;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t kSlots = std::bit_ceil(2 * kCount);  // half of them empty: a probe ends soon

  static constexpr std::size_t slot(std::string_view text) {
    const auto byte = [](char c) { return static_cast<unsigned char>(c); };
    return (text.size() + 5U * byte(text.front()) + 3U * byte(text.back())) % kSlots;
  }

  std::array<Known, kSlots> slots_{};
};

}  // namespace drover::api
