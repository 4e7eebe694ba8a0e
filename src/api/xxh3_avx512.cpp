// The same hash, compiled for machines that have AVX-512. Nothing else belongs here: what this file includes is
// compiled for them, too, and must not be shared.

#ifdef __x86_64__
#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX512
#include <xxhash.h>

namespace drover::api {

XXH64_hash_t xxh3_avx512(const void* bytes, size_t size);
XXH64_hash_t xxh3_avx512(const void* bytes, size_t size) { return XXH3_64bits(bytes, size); }

}  // namespace drover::api
#endif
