#pragma once
// The long strings of a prompt, at the speed of the memory.

#include <array>

namespace drover::api {

// What a one-letter escape stands for; 0 if it is none.
inline constexpr std::array<char, 256> kUnescaped = [] {
  std::array<char, 256> table{};
  table['"'] = '"';
  table['\\'] = '\\';
  table['/'] = '/';
  table['b'] = '\b';
  table['f'] = '\f';
  table['n'] = '\n';
  table['r'] = '\r';
  table['t'] = '\t';
  return table;
}();
constexpr char unescaped(char c) { return kUnescaped[static_cast<unsigned char>(c)]; }

// Goes over the content of a JSON string that nobody wants to have unescaped, from a place where a character begins,
// and checks it on the way: returns a place where a character begins, up to which all is valid. There is the end of the
// string, something invalid, or something for which a closer look is needed; `end` is only reached if there is none.
//
// With AVX-512 or AVX2, which are asked for when the program runs, a step is 64 bytes, whatever they are; invalid UTF-8
// is found by three look-ups of half bytes (J. Keiser, D. Lemire: Validating UTF-8 in less than one instruction per
// byte, 2021). Without them, a step goes up to the first byte that is not plain ASCII.
const char* skip_content(const char* at, const char* end);

// The whole steps of it, as far as they go.
using SkipSteps = const char*(const char* begin, const char* end);
#ifdef __x86_64__
SkipSteps skip_steps_avx2;    // needs AVX2 and BMI
SkipSteps skip_steps_avx512;  // needs AVX-512 BW, VBMI and VBMI2
#endif
// The best that this machine has; null: none.
SkipSteps* best_skip_steps();
// Of `steps`, which may be null: none but plain ones.
const char* skip_content(const char* at, const char* end, SkipSteps* steps);

}  // namespace drover::api
