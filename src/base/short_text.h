#pragma once
// Texts of up to 24 bytes as three words, so that two of one length are compared without a call or a loop: names of
// fields and keys, which are looked up many times a request.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace drover {

struct ShortText {
  static constexpr std::size_t kMost = 24;

  // They overlap and cover all of the text. The same for texts of different lengths, now and then.
  std::uint64_t first = 0, middle = 0, last = 0;
  bool operator==(const ShortText&) const = default;
};

namespace detail {

template <typename Word>
constexpr std::uint64_t word_at(std::string_view text, std::size_t at) {
  std::array<char, sizeof(Word)> bytes{};
  std::copy_n(text.data() + at, sizeof(Word), bytes.data());
  return std::bit_cast<Word>(bytes);
}

}  // namespace detail

// Of `text`, which has at most kMost bytes.
constexpr ShortText short_text(std::string_view text) {
  const auto size = text.size();
  if (size >= 8) {
    return {detail::word_at<std::uint64_t>(text, 0),
            detail::word_at<std::uint64_t>(text, std::min<std::size_t>(size - 8, 8)),
            detail::word_at<std::uint64_t>(text, size - 8)};
  }
  if (size >= 4) {
    return {detail::word_at<std::uint32_t>(text, 0), 0, detail::word_at<std::uint32_t>(text, size - 4)};
  }
  if (size >= 2) {
    return {detail::word_at<std::uint16_t>(text, 0), 0, detail::word_at<std::uint16_t>(text, size - 2)};
  }
  return {size == 1 ? detail::word_at<std::uint8_t>(text, 0) : 0, 0, 0};
}

}  // namespace drover
