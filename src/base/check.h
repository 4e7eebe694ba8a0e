#pragma once
// CHECK(condition): ends the process when an invariant is broken, in release builds too. A restart is cheap, a wrong
// answer is not. For what peers, users or the network can cause use Result (base/result.h), never CHECK.

namespace drover {

// Writes "file:line: CHECK failed: text" to stderr and aborts. No memory is allocated.
[[noreturn]] void check_failed(const char* file, int line, const char* text) noexcept;

}  // namespace drover

#define CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? (void)0 : ::drover::check_failed(__FILE__, __LINE__, #condition))
