#pragma once
// The inner loops that everything reading JSON here shares.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/ascii.h"

namespace drover::api {

#ifdef __SSE2__
// Of sixteen bytes those that skip_plain stops at, as bytes of ones.
inline __m128i not_plain(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  // The comparison is signed, so that bytes from 0x80 up count as below a blank too.
  return _mm_or_si128(
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
      _mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')));
}
#endif

// The first byte of [at, end) that needs a look inside a JSON string: a quote, a backslash, a control character or the
// beginning of a character beyond ASCII; `end` if there is none. Sixteen bytes, then 32 a step where the machine can:
// most strings are short, and most bytes are in long ones.
inline const char* skip_plain(const char* at, const char* end) {
#ifdef __SSE2__
  const auto bits = [](__m128i bytes) { return static_cast<unsigned>(_mm_movemask_epi8(bytes)); };
  if (end - at >= 16) {
    const unsigned first = bits(not_plain(at));
    if (first != 0) return at + std::countr_zero(first);
    at += 16;
  }
  for (; end - at >= 32; at += 32) {
    const __m128i low = not_plain(at);
    const __m128i high = not_plain(at + 16);
    if (bits(_mm_or_si128(low, high)) != 0) return at + std::countr_zero(bits(low) | bits(high) << 16);
  }
  if (end - at >= 16) {
    const unsigned last = bits(not_plain(at));
    if (last != 0) return at + std::countr_zero(last);
    at += 16;
  }
#endif
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  while (end - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    const std::uint64_t quote_bytes = word ^ (kOnes * '"');
    const std::uint64_t backslash_bytes = word ^ (kOnes * '\\');
    // A zero byte x gives a high bit in (x - 1) & ~x; borrows can only mark bytes above the first, true one.
    const std::uint64_t special = (((quote_bytes - kOnes) & ~quote_bytes) |
                                   ((backslash_bytes - kOnes) & ~backslash_bytes) | (word - kOnes * ' ') | word) &
                                  kHigh;
    if (special != 0) {
      if constexpr (std::endian::native == std::endian::little) return at + std::countr_zero(special) / 8;
      break;
    }
    at += 8;
  }
  for (; at != end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte == '"' || byte == '\\' || byte < 0x20 || byte >= 0x80) break;
  }
  return at;
}

// Behind the decimal digits that [at, end) begins with. Eight a step: a number can be megabytes of them.
inline const char* skip_digits(const char* at, const char* end) {
  constexpr std::uint64_t kUpper = 0xf0f0f0f0f0f0f0f0;  // halves of bytes
  while (end - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    // The upper half of a digit is 3, and stays so when 6 is added.
    if ((((word & kUpper) >> 4) | ((word + 0x0606060606060606) & kUpper)) != 0x3333333333333333) break;
    at += 8;
  }
  while (at != end && ascii::is_digit(*at)) ++at;
  return at;
}

// Where in `text` the first `wanted` is, which begins with a quote and a letter; npos: nowhere. Looks for the two of
// them at sixteen places a step where the machine can.
inline std::size_t find_quoted(std::string_view text, std::string_view wanted) {
  std::size_t at = 0;
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8(wanted[0]);
  const __m128i letter = _mm_set1_epi8(wanted[1]);
  for (; at + 17 <= text.size(); at += 16) {
    const auto* const here = reinterpret_cast<const __m128i*>(text.data() + at);
    const auto* const next = reinterpret_cast<const __m128i*>(text.data() + at + 1);
    const __m128i both =
        _mm_and_si128(_mm_cmpeq_epi8(_mm_loadu_si128(here), quote), _mm_cmpeq_epi8(_mm_loadu_si128(next), letter));
    for (auto mask = static_cast<unsigned>(_mm_movemask_epi8(both)); mask != 0; mask &= mask - 1) {
      const std::size_t candidate = at + static_cast<unsigned>(std::countr_zero(mask));
      if (text.substr(candidate).starts_with(wanted)) return candidate;
    }
  }
#endif
  return text.find(wanted, at);
}

// What may follow the first byte of a UTF-8 sequence: `more` bytes, the first of them within [low, high], the others
// within [0x80, 0xbf]. `more` is 0 for a byte that begins no sequence (RFC 3629, section 4).
struct Utf8Lead {
  std::uint8_t more = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
};
constexpr Utf8Lead utf8_lead(unsigned char byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return {1, 0x80, 0xbf};
  if (byte == 0xe0) return {2, 0xa0, 0xbf};
  if (byte == 0xed) return {2, 0x80, 0x9f};  // no surrogates
  if (byte >= 0xe1 && byte <= 0xef) return {2, 0x80, 0xbf};
  if (byte == 0xf0) return {3, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3) return {3, 0x80, 0xbf};
  if (byte == 0xf4) return {3, 0x80, 0x8f};
  return {};
}

// The length of the UTF-8 sequence beyond ASCII that begins at `at`; 0 when it is invalid or cut by `end`.
inline std::size_t utf8_length(const char* at, const char* end) {
  // The three-byte sequences, in which most of the world's scripts are written, at once: their fixed bits, then that
  // they are neither overlong (lead e0, second below a0) nor half a surrogate pair (lead ed, second from a0 up).
  if (std::endian::native == std::endian::little && end - at >= 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, sizeof word);
    const std::uint32_t doubtful = word & 0x200f;
    if ((word & 0xc0c0f0) == 0x8080e0 && doubtful != 0 && doubtful != 0x200d) return 3;
  }
  const Utf8Lead lead = utf8_lead(static_cast<unsigned char>(*at));
  if (lead.more == 0 || end - at <= lead.more) return 0;
  const auto second = static_cast<unsigned char>(at[1]);
  if (second < lead.low || second > lead.high) return 0;
  for (int i = 2; i <= lead.more; ++i) {
    if ((static_cast<unsigned char>(at[i]) & 0xc0) != 0x80) return 0;
  }
  return lead.more + 1U;
}

// Appends the UTF-8 form of `code_point` to anything with push_back.
template <typename Text>
void append_utf8(Text& out, std::uint32_t code_point) {
  const auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) return push(code_point);
  if (code_point < 0x800) {
    push(0xc0 | (code_point >> 6));
  } else {
    if (code_point < 0x10000) {
      push(0xe0 | (code_point >> 12));
    } else {
      push(0xf0 | (code_point >> 18));
      push(0x80 | ((code_point >> 12) & 0x3f));
    }
    push(0x80 | ((code_point >> 6) & 0x3f));
  }
  push(0x80 | (code_point & 0x3f));
}

}  // namespace drover::api
