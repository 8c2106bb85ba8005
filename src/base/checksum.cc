#include "base/checksum.h"

#define XXH_INLINE_ALL  // the library's own functions are built for the oldest processors
#include <xxhash.h>

#include "base/checksum_avx2.h"

namespace firn {

namespace {

using Checksum = uint64_t (*)(const void* bytes, size_t count, uint64_t seed);

uint64_t portable(const void* bytes, size_t count, uint64_t seed) { return XXH3_64bits_withSeed(bytes, count, seed); }

Checksum fastest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return firn_checksum64_avx2;
#endif
  return portable;
}

}  // namespace

uint64_t checksum64_portable(std::string_view bytes, uint64_t seed) {
  return portable(bytes.data(), bytes.size(), seed);
}

uint64_t checksum64(std::span<const std::byte> bytes, uint64_t seed) {
  static const Checksum checksum = fastest();
  return checksum(bytes.data(), bytes.size(), seed);
}

uint64_t checksum64(std::string_view bytes, uint64_t seed) { return checksum64(std::as_bytes(std::span(bytes)), seed); }

}  // namespace firn
