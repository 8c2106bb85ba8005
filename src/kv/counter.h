// The stored form of what Transaction::add() adds to: 64 bits, little-endian, two's complement.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firn::kv {

inline std::string encode_counter(int64_t value) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  return bytes;
}

// nullopt: not a counter.
inline std::optional<int64_t> decode_counter(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return static_cast<int64_t>(value);
}

// Wraps around.
inline int64_t add_counter(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

}  // namespace firn::kv
