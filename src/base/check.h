// CHECK: for programmer errors only. Stays on in release builds and says what was violated.
// Bytes from disk, network or a user never trip one: those get a Status.
#pragma once

namespace firn::internal {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) [[unlikely]]                                    \
      ::firn::internal::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
