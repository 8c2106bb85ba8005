// checksum64() for processors with AVX2: checksum.cc asks whether this one is.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" uint64_t firn_checksum64_avx2(const void* bytes, size_t count, uint64_t seed);
