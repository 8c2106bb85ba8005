// Byte order, and sizes and durations as people write them.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/status.h"

namespace firn {

// Loads and stores of unaligned integers. The caller vouches for sizeof(T) readable or writable bytes.
template <std::unsigned_integral T>
T load_native(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <std::unsigned_integral T>
T load_le(const void* from) {
  T value = load_native<T>(from);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  return value;
}
template <std::unsigned_integral T>
T load_be(const void* from) {
  T value = load_native<T>(from);
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  return value;
}
template <std::unsigned_integral T>
void store_le(void* to, T value) {
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof value);
}
template <std::unsigned_integral T>
void store_be(void* to, T value) {
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof value);
}
template <std::unsigned_integral T>
void append_be(std::string& to, T value) {
  char bytes[sizeof value];
  store_be(bytes, value);
  to.append(bytes, sizeof bytes);
}

// "4096", "4KiB", "1.5 GiB", "10MB": a number and a unit, B KiB MiB GiB TiB PiB or kB MB GB TB PB.
// Whole bytes only: "1.5B" is kInvalid, and so is what exceeds 64 bits.
Result<uint64_t> parse_size(std::string_view text);
// The shortest exact form that parse_size reads back to the same number: "4MiB", "4097B".
std::string format_size(uint64_t bytes);
// For reading: three digits and a unit, "1.50 GiB".
std::string human_size(uint64_t bytes);

// "250us", "5ms", "1.5s", "10min", "2h" to nanoseconds; "0" needs no unit.
Result<int64_t> parse_duration(std::string_view text);
// The shortest exact form: "5ms", "90s".
std::string format_duration(int64_t nanoseconds);

}  // namespace firn
