#pragma once
// The inner loops of everything that reads or writes heads: sixteen bytes a step where the machine can.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace drover::http {

#ifdef __SSE2__
// A bit for each of the sixteen bytes at `at` that is a control character other than HTAB.
inline unsigned control_mask(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i control = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')), low);
  const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(control, del)));
}
#endif

// Does one of the eight bytes of `word` lie below 0x20, HTAB among them, or is it DEL? All at once: a byte of
// `word - low` or `del - ones` borrows into its top bit only if it was below (Mycroft's test for a zero byte).
inline bool may_hold_control(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kTops = 0x80 * kOnes, kLow = 0x20 * kOnes;
  const std::uint64_t del = word ^ (0x7f * kOnes);
  return ((((word - kLow) & ~word) | ((del - kOnes) & ~del)) & kTops) != 0;
}

template <typename Word>
std::uint64_t word_at(const char* at) {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// May [at, end), of fewer than sixteen bytes, hold one that is a control character? Two words that overlap cover it.
inline bool short_text_may_hold_control(const char* at, const char* end) {
  const auto size = end - at;
  if (size >= 8)
    return may_hold_control(word_at<std::uint64_t>(at)) || may_hold_control(word_at<std::uint64_t>(end - 8));
  if (size >= 4) return may_hold_control(word_at<std::uint32_t>(at) | word_at<std::uint32_t>(end - 4) << 32);
  constexpr std::uint64_t kBlanks = 0x2020202020202020;
  if (size >= 2)
    return may_hold_control(word_at<std::uint16_t>(at) | word_at<std::uint16_t>(end - 2) << 16 | kBlanks << 32);
  return size == 1 && may_hold_control(word_at<std::uint8_t>(at) | kBlanks << 8);
}

// The first byte of [at, end) that is a control character other than HTAB; `end` if there is none. Bytes above 0x7f are
// no control characters (obs-text). The last step overlaps the one before it.
inline const char* skip_text(const char* at, const char* end) {
#ifdef __SSE2__
  if (end - at >= 16) {
    for (const char* const last = end - 16;; at = at + 16 < last ? at + 16 : last) {
      const unsigned mask = control_mask(at);
      if (mask != 0) return at + std::countr_zero(mask);
      if (at == last) return end;
    }
  }
#endif
  while (end - at >= 16 && !may_hold_control(word_at<std::uint64_t>(at))) at += 8;
  if (end - at < 16 && !short_text_may_hold_control(at, end)) return end;
  for (; at != end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) break;
  }
  return at;
}

// Leaps over bytes of [at, end) that are letters, digits or `-`, as field names have them. What it stops at may be one
// as well: near `end`, or without the instructions for it.
inline const char* leap_name(const char* at, const char* end) {
#ifdef __SSE2__
  const auto at_most = [](__m128i bytes, char bound) {
    return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(bound)), bytes);
  };
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i letter = at_most(_mm_sub_epi8(folded, _mm_set1_epi8('a')), 25);
    const __m128i digit = at_most(_mm_sub_epi8(bytes, _mm_set1_epi8('0')), 9);
    const __m128i dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), dash)));
    if (mask != 0xffff) return at + std::countr_one(mask);
  }
#else
  (void)end;
#endif
  return at;
}

// Leaps over bytes of [at, end) among which no LF lacks its CR and none ends a blank line. The two bytes before `at`
// are read, too.
inline const char* leap_whole_lines(const char* at, const char* end) {
#ifdef __SSE2__
  const auto equal = [](const char* bytes, char c) {
    return _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)), _mm_set1_epi8(c));
  };
  for (; end - at >= 16; at += 16) {
    const __m128i plain = _mm_andnot_si128(equal(at - 2, '\n'), equal(at - 1, '\r'));
    if (_mm_movemask_epi8(_mm_andnot_si128(plain, equal(at, '\n'))) != 0) break;
  }
#else
  (void)end;
#endif
  return at;
}

}  // namespace drover::http
