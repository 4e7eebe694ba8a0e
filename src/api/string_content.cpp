#include "api/string_content.h"

#include "api/json_text.h"

namespace drover::api {

#ifdef __x86_64__
SkipSteps* best_skip_steps() {
  if (__builtin_cpu_supports("avx512vbmi2") != 0 && __builtin_cpu_supports("avx512bw") != 0) return skip_steps_avx512;
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0) return skip_steps_avx2;
  return nullptr;
}
#else
SkipSteps* best_skip_steps() { return nullptr; }
#endif

const char* skip_content(const char* at, const char* end, SkipSteps* steps) {
  if (steps != nullptr) at = steps(at, end);
  return skip_plain(at, end);
}

const char* skip_content(const char* at, const char* end) {
  static SkipSteps* const best = best_skip_steps();
  return skip_content(at, end, best);
}

}  // namespace drover::api
