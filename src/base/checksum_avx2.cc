// Compiled with -mavx2. No header with inline functions of external linkage may be included here: the linker might
// choose this file's copy of one for the whole program.
#include "base/checksum_avx2.h"

#if defined(__AVX2__)
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t firn_checksum64_avx2(const void* bytes, size_t count, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, count, seed);
}
#endif
