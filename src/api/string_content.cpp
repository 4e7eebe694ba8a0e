#include "api/string_content.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "api/json_text.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace drover::api {
namespace {

#ifdef __x86_64__
#define DROVER_AVX2 [[gnu::target("avx2")]]

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

// By the upper and the lower half of the first byte, and the upper half of the second.
alignas(16) constexpr std::uint8_t kFirstHigh[16] = {kTooLong,
                                                     kTooLong,
                                                     kTooLong,
                                                     kTooLong,
                                                     kTooLong,
                                                     kTooLong,
                                                     kTooLong,
                                                     kTooLong,  // ASCII
                                                     kTwoTails,
                                                     kTwoTails,
                                                     kTwoTails,
                                                     kTwoTails,  // continuations
                                                     kTooShort | kOverlong2,
                                                     kTooShort,
                                                     kTooShort | kOverlong3 | kSurrogate,
                                                     kTooShort | kTooLarge | kTooLarge1000 | kOverlong4};
alignas(16) constexpr std::uint8_t kFirstLow[16] = {kWhateverLow | kOverlong2 | kOverlong3 | kOverlong4,
                                                    kWhateverLow | kOverlong2,
                                                    kWhateverLow,
                                                    kWhateverLow,
                                                    kWhateverLow | kTooLarge,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000 | kSurrogate,
                                                    kWhateverLow | kTooLarge | kTooLarge1000,
                                                    kWhateverLow | kTooLarge | kTooLarge1000};
constexpr std::uint8_t kTail = kTooLong | kOverlong2 | kTwoTails;  // of any second byte that is a continuation
alignas(16) constexpr std::uint8_t kSecondHigh[16] = {kTooShort,
                                                      kTooShort,
                                                      kTooShort,
                                                      kTooShort,
                                                      kTooShort,
                                                      kTooShort,
                                                      kTooShort,
                                                      kTooShort,
                                                      kTail | kOverlong3 | kTooLarge1000 | kOverlong4,
                                                      kTail | kOverlong3 | kTooLarge,
                                                      kTail | kSurrogate | kTooLarge,
                                                      kTail | kSurrogate | kTooLarge,
                                                      kTooShort,
                                                      kTooShort,
                                                      kTooShort,
                                                      kTooShort};

DROVER_AVX2 inline __m256i table(const std::uint8_t (&half)[16]) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(half)));
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

// The places at which it shows that the bytes, which begin with a character, are not UTF-8.
DROVER_AVX2 inline std::uint32_t invalid_utf8(__m256i bytes) {
  const __m256i low_to_high = _mm256_permute2x128_si256(bytes, bytes, 0x08);  // zeros, then the first sixteen
  const __m256i first = _mm256_alignr_epi8(bytes, low_to_high, 15);
  const __m256i wrong = _mm256_and_si256(
      _mm256_and_si256(_mm256_shuffle_epi8(table(kFirstHigh), upper_half(first)),
                       _mm256_shuffle_epi8(table(kFirstLow), _mm256_and_si256(first, _mm256_set1_epi8(0x0f)))),
      _mm256_shuffle_epi8(table(kSecondHigh), upper_half(bytes)));
  // The third and the fourth byte of a sequence must be continuations behind continuations, and nothing else may.
  const __m256i two_before = _mm256_alignr_epi8(bytes, low_to_high, 14);
  const __m256i three_before = _mm256_alignr_epi8(bytes, low_to_high, 13);
  const __m256i behind_lead = _mm256_or_si256(_mm256_subs_epu8(two_before, _mm256_set1_epi8(0xe0 - 0x80)),
                                              _mm256_subs_epu8(three_before, _mm256_set1_epi8(0xf0 - 0x80)));
  const __m256i expected = _mm256_and_si256(behind_lead, _mm256_set1_epi8(static_cast<char>(kTwoTails)));
  return ~bits(_mm256_cmpeq_epi8(wrong, expected));
}

constexpr std::ptrdiff_t kStep = 32;

// How much of a step that is valid as far as it goes are whole characters.
std::ptrdiff_t whole_characters(const char* at) {
  for (std::ptrdiff_t back = 1; back <= 3; ++back) {
    const auto byte = static_cast<unsigned char>(at[kStep - back]);
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const std::ptrdiff_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length <= back ? kStep : kStep - back;
    }
  }
  return kStep;
}

// What of a step is fine, as far as quotes, control characters and escapes go.
struct Fine {
  std::uint32_t stop = 0;       // the bit of the first place that needs a closer look; 0: there is none
  std::ptrdiff_t size = kStep;  // one more than a step if its last byte begins an escape
};
Fine skip_escapes(const char* at, const char* end, std::uint32_t places) {
  Fine fine;
  while (places != 0) {
    const int place = std::countr_zero(places);
    const char* const here = at + place;
    if (*here != '\\' || end - here < 2 || unescaped(here[1]) == 0) return {1U << place, place};
    fine.size = std::max<std::ptrdiff_t>(kStep, place + 2);
    places &= ~(3U << place);
  }
  return fine;
}

DROVER_AVX2 const char* skip_content_avx2(const char* at, const char* end) {
  while (end - at >= kStep) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
    const __m256i quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    const __m256i backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    const auto fine = skip_escapes(at, end, bits(_mm256_or_si256(control, _mm256_or_si256(quotes, backslashes))));
    const std::uint32_t before_stop = fine.stop - 1;  // all, where there is none
    std::ptrdiff_t size = fine.size;
    if ((bits(bytes) & before_stop) != 0) {
      // That a character is cut shows at the byte behind it.
      if ((invalid_utf8(bytes) & (before_stop | fine.stop)) != 0) return at;
      if (size == kStep) size = whole_characters(at);
    }
    at += size;
    if (fine.stop != 0) return at;
  }
  return at;
}
#endif

}  // namespace

const char* skip_content(const char* at, const char* end) {
#ifdef __x86_64__
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) at = skip_content_avx2(at, end);
#endif
  return skip_plain(at, end);
}

}  // namespace drover::api
