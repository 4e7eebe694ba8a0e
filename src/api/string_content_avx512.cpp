// Steps over a long string with AVX-512, whose comparisons yield the bits themselves.
#include <cstdint>

#include "api/string_content.h"

#ifdef __x86_64__
#include <immintrin.h>

#define DROVER_STEP [[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi")]]
#include "api/string_steps.h"

namespace drover::api {
namespace {

// For each byte of ASCII: 0 if it is the letter of a one-letter escape.
constexpr auto kNoLetter = [] {
  std::array<char, 128> table{};
  for (std::size_t c = 0; c < table.size(); ++c) table[c] = unescaped(static_cast<char>(c)) == 0 ? 1 : 0;
  return table;
}();

DROVER_STEP inline __m512i look_up(const HalfTable& table, __m512i halves) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table.data()))),
                             halves);
}
DROVER_STEP inline __m512i lower_half(__m512i bytes) { return _mm512_and_si512(bytes, _mm512_set1_epi8(0x0f)); }
DROVER_STEP inline __m512i upper_half(__m512i bytes) { return lower_half(_mm512_srli_epi16(bytes, 4)); }

class Step {
 public:
  DROVER_STEP explicit Step(const char* at) : bytes_(_mm512_loadu_si512(at)) {}

  DROVER_STEP std::uint64_t backslashes() const { return _mm512_cmpeq_epi8_mask(bytes_, _mm512_set1_epi8('\\')); }
  DROVER_STEP std::uint64_t ends() const {
    return _mm512_cmpeq_epi8_mask(bytes_, _mm512_set1_epi8('"')) |
           _mm512_cmplt_epu8_mask(bytes_, _mm512_set1_epi8(0x20));
  }
  DROVER_STEP std::uint64_t no_letters() const {
    const __m512i no_letter = _mm512_permutex2var_epi8(_mm512_loadu_si512(kNoLetter.data()), bytes_,
                                                       _mm512_loadu_si512(kNoLetter.data() + 64));
    return _mm512_test_epi8_mask(no_letter, no_letter) | beyond_ascii();
  }
  DROVER_STEP std::uint64_t beyond_ascii() const { return _mm512_movepi8_mask(bytes_); }
  DROVER_STEP std::uint64_t invalid(const char* at) const {
    const __m512i first = before<1>(at);
    const __m512i wrong = _mm512_and_si512(
        _mm512_and_si512(look_up(kFirstHigh, upper_half(first)), look_up(kFirstLow, lower_half(first))),
        look_up(kSecondHigh, upper_half(bytes_)));
    // The third and the fourth byte of a sequence must be continuations behind continuations, and nothing else may.
    const __m512i behind_lead = _mm512_or_si512(_mm512_subs_epu8(before<2>(at), _mm512_set1_epi8(0xe0 - 0x80)),
                                                _mm512_subs_epu8(before<3>(at), _mm512_set1_epi8(0xf0 - 0x80)));
    const __m512i expected = _mm512_and_si512(behind_lead, _mm512_set1_epi8(static_cast<char>(kTwoTails)));
    return _mm512_cmpneq_epi8_mask(wrong, expected);
  }

 private:
  // The bytes that stand `distance` before each of them; zero where `at` is null and they would be outside.
  template <int distance>
  DROVER_STEP __m512i before(const char* at) const {
    if (at != nullptr) [[likely]]
      return _mm512_loadu_si512(at - distance);
    constexpr std::uint64_t kInside = ~std::uint64_t{0} << distance;
    return _mm512_maskz_expand_epi8(kInside, bytes_);
  }

  __m512i bytes_;
};

}  // namespace

DROVER_STEP const char* skip_steps_avx512(const char* begin, const char* end) { return skip_steps<Step>(begin, end); }

}  // namespace drover::api
#endif
