#include "api/xxh3.h"

#include <cstddef>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace drover::api {
namespace {

using Hash = std::uint64_t(const void*, std::size_t);

std::uint64_t xxh3_plain(const void* bytes, std::size_t size) { return XXH3_64bits(bytes, size); }

}  // namespace

#ifdef __x86_64__
Hash xxh3_avx512;  // xxh3_avx512.cpp

std::uint64_t xxh3(std::string_view bytes) {
  static Hash* const best = __builtin_cpu_supports("avx512f") != 0 ? xxh3_avx512 : xxh3_plain;
  return best(bytes.data(), bytes.size());
}
#else
std::uint64_t xxh3(std::string_view bytes) { return xxh3_plain(bytes.data(), bytes.size()); }
#endif

}  // namespace drover::api
