#pragma once
// The loop over a long string, 64 bytes a step. Included by the files that say what a step is on one kind of processor,
// and by nothing else: all of it is compiled anew for each. They define DROVER_STEP, the attribute of functions for it.
//
// A `Step` reads 64 bytes and tells of them, a bit for each: backslashes(), ends() (quotes and control characters),
// no_letters() (what follows a backslash in no one-letter escape), beyond_ascii(), and invalid(at): where it shows that
// they are no UTF-8, given what is before `at`; null: nothing is.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "api/json_text.h"

namespace drover::api {
namespace {

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

constexpr std::ptrdiff_t kStep = 64;
constexpr std::uint64_t kLast = std::uint64_t{1} << (kStep - 1);

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

template <typename Step>
DROVER_STEP const char* skip_steps(const char* begin, const char* end) {
  const char* at = begin;
  std::uint64_t cut = 0;  // not zero: the last step may have ended inside a character
  while (end - at >= kStep) {
    const Step step(at);
    const std::uint64_t escapes = beginning_escapes(step.backslashes());
    const std::uint64_t escaped = escapes << 1;
    // Where it does not go on: a quote, a control character, an escape that is more than one letter.
    const std::uint64_t stops = (step.ends() & ~escaped) | (escaped & step.no_letters()) >> 1;
    const std::uint64_t stop = stops & -stops;
    const std::uint64_t before_stop = stop - 1;  // all, where there is none
    const std::uint64_t beyond_ascii = step.beyond_ascii();
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

}  // namespace
}  // namespace drover::api
