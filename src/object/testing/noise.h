// Bytes that do not compress, the same for the same seed.
#pragma once

#include <string>

#include "base/random.h"

namespace firn::object::testing {

inline std::string noise(size_t bytes, uint64_t seed) {
  SeededRandom random(seed);
  std::string made(bytes, '\0');
  random.fill(std::as_writable_bytes(std::span(made)));
  return made;
}

}  // namespace firn::object::testing
