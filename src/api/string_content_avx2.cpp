// Steps over a long string with AVX2.
#include <cstdint>

#include "api/string_content.h"

#ifdef __x86_64__
#include <immintrin.h>

#define DROVER_STEP [[gnu::target("avx2,bmi")]]
#include "api/string_steps.h"

namespace drover::api {
namespace {

DROVER_STEP inline __m256i table(const HalfTable& half) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(half.data())));
}
DROVER_STEP inline __m256i upper_half(__m256i bytes) {
  return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
}
// The upper bits of the bytes. The compiler must not see through it: it would take a test of some of the bits for
// thirty-two tests of one.
DROVER_STEP inline std::uint32_t bits(__m256i bytes) {
  auto mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
  asm("" : "+r"(mask));
  return mask;
}

// The places at which it shows that the bytes are not UTF-8; `before` are the bytes before them.
DROVER_STEP inline std::uint32_t invalid_utf8(__m256i before, __m256i bytes) {
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

class Step {
 public:
  DROVER_STEP explicit Step(const char* at)
      : low_(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))),
        high_(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at) + 1)) {}

  DROVER_STEP std::uint64_t backslashes() const { return where(is_backslash); }
  DROVER_STEP std::uint64_t ends() const { return where(is_end); }
  DROVER_STEP std::uint64_t no_letters() const { return where(is_no_letter); }
  DROVER_STEP std::uint64_t beyond_ascii() const { return bits(low_) | std::uint64_t{bits(high_)} << 32; }
  DROVER_STEP std::uint64_t invalid(const char* at) const {
    const __m256i before =
        at == nullptr ? _mm256_setzero_si256() : _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at) - 1);
    return invalid_utf8(before, low_) | std::uint64_t{invalid_utf8(low_, high_)} << 32;
  }

 private:
  DROVER_STEP static __m256i is_backslash(__m256i bytes) { return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')); }
  DROVER_STEP static __m256i is_end(__m256i bytes) {
    return _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
                           _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes));
  }
  DROVER_STEP static __m256i is_no_letter(__m256i bytes) {
    return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(table(kLetterHigh), upper_half(bytes)),
                                              _mm256_shuffle_epi8(table(kLetterLow), bytes)),
                             _mm256_setzero_si256());
  }
  DROVER_STEP std::uint64_t where(__m256i (*is)(__m256i)) const {
    return bits(is(low_)) | std::uint64_t{bits(is(high_))} << 32;
  }

  __m256i low_;
  __m256i high_;
};

}  // namespace

DROVER_STEP const char* skip_steps_avx2(const char* begin, const char* end) { return skip_steps<Step>(begin, end); }

}  // namespace drover::api
#endif
