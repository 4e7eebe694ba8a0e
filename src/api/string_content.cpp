#include "api/string_content.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "api/json_text.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace drover::api {
namespace {

#ifdef __x86_64__
#define DROVER_AVX2 [[gnu::target("avx2,bmi")]]

// What can be wrong with two bytes that follow one another; a bit is set where all three look-ups say that it is.
enum : std::uint8_t {
  kTooShort = 1 << 0,      // a lead byte, then no continuation
  kTooLong = 1 << 1,       // ASCII, then a continuation
  kOverlong3 = 1 << 2,     // e0, then below a0
  kTooLarge = 1 << 3,      // f4 or more, then 90 or more
  kSurrogate = 1 << 4,     // ed, then a0 or more
  kOverlong2 = 1 << 5,     // c0 or c1
  kTooLarge1000 = 1 << 6,  // f5 or more, then below 90
  kOverlong4 = 1 << 6,     // f0, then below 90
  kTwoTails = 1 << 7,      // two continuations: right behind a lead of three or four bytes, else wrong
  kWhateverLow = kTooShort | kTooLong | kTwoTails,
};

// What a look-up says for each half byte: the bits of all ranges that it lies in.
struct Range {
  std::uint8_t first, last, bits;
};
using HalfTable = std::array<std::uint8_t, 16>;
constexpr HalfTable half_table(std::initializer_list<Range> ranges) {
  HalfTable table{};
  for (const Range& range : ranges) {
    for (std::size_t half = range.first; half <= range.last; ++half) table[half] |= range.bits;
  }
  return table;
}

// By the upper and the lower half of the first byte, and the upper half of the second.
constexpr HalfTable kFirstHigh = half_table({{0x0, 0x7, kTooLong},
                                             {0x8, 0xb, kTwoTails},
                                             {0xc, 0xf, kTooShort},
                                             {0xc, 0xc, kOverlong2},
                                             {0xe, 0xe, kOverlong3 | kSurrogate},
                                             {0xf, 0xf, kTooLarge | kTooLarge1000 | kOverlong4}});
constexpr HalfTable kFirstLow = half_table({{0x0, 0xf, kWhateverLow},
                                            {0x0, 0x0, kOverlong3 | kOverlong4},
                                            {0x0, 0x1, kOverlong2},
                                            {0x4, 0xf, kTooLarge},
                                            {0x5, 0xf, kTooLarge1000},
                                            {0xd, 0xd, kSurrogate}});
constexpr HalfTable kSecondHigh = half_table({{0x0, 0x7, kTooShort},
                                              {0x8, 0xb, kTooLong | kOverlong2 | kTwoTails},
                                              {0x8, 0x8, kTooLarge1000 | kOverlong4},
                                              {0x8, 0x9, kOverlong3},
                                              {0x9, 0xb, kTooLarge},
                                              {0xa, 0xb, kSurrogate},
                                              {0xc, 0xf, kTooShort}});

DROVER_AVX2 inline __m256i table(const HalfTable& half) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(half.data())));
}
DROVER_AVX2 inline __m256i upper_half(__m256i bytes) {
  return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
}
// The upper bits of the bytes. The compiler must not see through it: it would take a test of some of the bits for
// thirty-two tests of one.
DROVER_AVX2 inline std::uint32_t bits(__m256i bytes) {
  auto mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
  asm("" : "+r"(mask));
  return mask;
}

// The places at which it shows that the bytes are not UTF-8; `before` are the bytes before them.
DROVER_AVX2 inline std::uint32_t invalid_utf8(__m256i before, __m256i bytes) {
  const __m256i shifted = _mm256_permute2x128_si256(before, bytes, 0x21);  // by sixteen: half of each
  const __m256i first = _mm256_alignr_epi8(bytes, shifted, 15);
  const __m256i wrong = _mm256_and_si256(
      _mm256_and_si256(_mm256_shuffle_epi8(table(kFirstHigh), upper_half(first)),
                       _mm256_shuffle_epi8(table(kFirstLow), _mm256_and_si256(first, _mm256_set1_epi8(0x0f)))),
      _mm256_shuffle_epi8(table(kSecondHigh), upper_half(bytes)));
  // The third and the fourth byte of a sequence must be continuations behind continuations, and nothing else may.
  const __m256i two_before = _mm256_alignr_epi8(bytes, shifted, 14);
  const __m256i three_before = _mm256_alignr_epi8(bytes, shifted, 13);
  const __m256i behind_lead = _mm256_or_si256(_mm256_subs_epu8(two_before, _mm256_set1_epi8(0xe0 - 0x80)),
                                              _mm256_subs_epu8(three_before, _mm256_set1_epi8(0xf0 - 0x80)));
  const __m256i expected = _mm256_and_si256(behind_lead, _mm256_set1_epi8(static_cast<char>(kTwoTails)));
  return ~bits(_mm256_cmpeq_epi8(wrong, expected));
}

// The letters of one-letter escapes by their two halves: those that have a bit in common are one.
constexpr HalfTable kLetterHigh = half_table({{2, 2, 1}, {5, 5, 2}, {6, 6, 4}, {7, 7, 8}});
constexpr HalfTable kLetterLow = half_table({{0x2, 0x2, 1 | 4 | 8},  // " b r
                                             {0x4, 0x4, 8},          // t
                                             {0x6, 0x6, 4},          // f
                                             {0xc, 0xc, 2},          // backslash
                                             {0xe, 0xe, 4},          // n
                                             {0xf, 0xf, 1}});        // /

constexpr std::ptrdiff_t kStep = 64;
constexpr std::uint64_t kLast = std::uint64_t{1} << (kStep - 1);

// A step's bytes, as bits: what they are.
struct Step {
  __m256i low;
  __m256i high;

  DROVER_AVX2 explicit Step(const char* at)
      : low(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))),
        high(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at) + 1)) {}

  DROVER_AVX2 std::uint64_t where(__m256i (*is)(__m256i)) const {
    return bits(is(low)) | std::uint64_t{bits(is(high))} << 32;
  }
  // `at`: what is before it belongs to it; null: nothing does.
  DROVER_AVX2 std::uint64_t invalid(const char* at) const {
    const __m256i before =
        at == nullptr ? _mm256_setzero_si256() : _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at) - 1);
    return invalid_utf8(before, low) | std::uint64_t{invalid_utf8(low, high)} << 32;
  }
};
DROVER_AVX2 inline __m256i is_quote(__m256i bytes) { return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')); }
DROVER_AVX2 inline __m256i is_backslash(__m256i bytes) { return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')); }
DROVER_AVX2 inline __m256i is_control(__m256i bytes) {
  return _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
}
DROVER_AVX2 inline __m256i is_no_letter(__m256i bytes) {
  return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(table(kLetterHigh), upper_half(bytes)),
                                            _mm256_shuffle_epi8(table(kLetterLow), bytes)),
                           _mm256_setzero_si256());
}
DROVER_AVX2 inline __m256i is_beyond_ascii(__m256i bytes) { return bytes; }

// Of backslashes those that begin an escape, the others being what is escaped: of each run the first, the third and so
// on. By one subtraction, whose borrows run through the runs (G. Langdale, D. Lemire: Parsing gigabytes of JSON per
// second, 2019, section 3.1.1).
constexpr std::uint64_t beginning_escapes(std::uint64_t backslashes) {
  constexpr std::uint64_t kOdd = 0xaaaa'aaaa'aaaa'aaaa;
  const std::uint64_t behind = backslashes << 1;
  return (((behind | kOdd) - backslashes) ^ kOdd) & backslashes;
}

// Where the character begins that `at` cuts; `at`, if it cuts none. What is before it is valid as far as it goes.
const char* character_start(const char* begin, const char* at) {
  for (std::ptrdiff_t back = 1; back <= std::min<std::ptrdiff_t>(3, at - begin); ++back) {
    const auto byte = static_cast<unsigned char>(at[-back]);
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const int more = utf8_lead(byte).more;  // 0: it is invalid, which shows only at the byte behind it
      return more > 0 && more < back ? at : at - back;
    }
  }
  return at;
}

DROVER_AVX2 const char* skip_steps_avx2(const char* begin, const char* end) {
  const char* at = begin;
  std::uint64_t cut = 0;  // not zero: the last step may have ended inside a character
  while (end - at >= kStep) {
    const Step step(at);
    const std::uint64_t escapes = beginning_escapes(step.where(is_backslash));
    const std::uint64_t escaped = escapes << 1;
    // Where it does not go on: a quote, a control character, an escape that is more than one letter.
    const std::uint64_t quotes = step.where(is_quote) & ~escaped;
    const std::uint64_t others = (escaped & step.where(is_no_letter)) >> 1;
    const std::uint64_t stops = quotes | others | step.where(is_control);
    const std::uint64_t stop = stops & -stops;
    const std::uint64_t before_stop = stop - 1;  // all, where there is none
    const std::uint64_t beyond_ascii = step.where(is_beyond_ascii);
    if (((beyond_ascii & before_stop) | cut) != 0) {
      // That a character is cut shows at the byte behind it.
      if ((step.invalid(at == begin ? nullptr : at) & (before_stop | stop)) != 0) break;
    }
    if (stop != 0) return at + std::countr_zero(stop);
    at += kStep;
    if ((escapes & kLast) != 0) [[unlikely]] {
      asm("" : "+r"(at));  // a branch, which is guessed: the next step need not wait for this one's bits
      --at;
    }
    cut = beyond_ascii & kLast;
  }
  return character_start(begin, at);
}
#endif

}  // namespace

const char* skip_content(const char* at, const char* end) {
#ifdef __x86_64__
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0;
  if (has_avx2) at = skip_steps_avx2(at, end);
#endif
  return skip_plain(at, end);
}

}  // namespace drover::api
