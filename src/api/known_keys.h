#pragma once
// The names that something knows, each with what it stands for. Made by the compiler; a look-up compares about one.

#include <array>
#include <bit>
#include <cstddef>
#include <string_view>

#include "base/check.h"
#include "base/short_text.h"

namespace drover::api {

template <typename Meaning>
struct KnownKey {
  std::string_view text;  // 1 to ShortText::kMost bytes, no two alike
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
      CHECK(!known.text.empty() && known.text.size() <= ShortText::kMost);
      std::size_t at = slot(known.text);
      while (slots_[at].size != 0) at = (at + 1) % kSlots;
      slots_[at] = {known.text.size(), short_text(known.text), known.meaning};
    }
  }

  // What `text` stands for; nullptr: it is none of them.
  constexpr const Meaning* find(std::string_view text) const {
    if (text.empty() || text.size() > ShortText::kMost) return nullptr;
    const ShortText wanted = short_text(text);
    for (std::size_t at = slot(text); slots_[at].size != 0; at = (at + 1) % kSlots) {
      if (slots_[at].size == text.size() && slots_[at].text == wanted) return &slots_[at].meaning;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t kSlots = std::bit_ceil(2 * kCount);  // half of them empty: a probe ends soon

  static constexpr std::size_t slot(std::string_view text) {
    const auto byte = [](char c) { return static_cast<unsigned char>(c); };
    return (text.size() + 5U * byte(text.front()) + 3U * byte(text.back())) % kSlots;
  }

  struct Slot {
    std::size_t size = 0;  // of the text; 0: nothing lies here
    ShortText text;
    Meaning meaning{};
  };
  std::array<Slot, kSlots> slots_{};
};

}  // namespace drover::api
