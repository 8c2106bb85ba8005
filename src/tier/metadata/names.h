// The keys of metadata objects under a store's prefix.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace firn::tier {

inline constexpr const char* kVolumeKey = "volume";
// Dense sequences from 1.
inline std::string root_key(uint64_t number) { return fmt::format("root/{:020}", number); }
inline constexpr const char* kLogPrefix = "log/";
inline std::string log_key(uint64_t number) { return fmt::format("{}{:020}", kLogPrefix, number); }
inline std::string pin_key(uint64_t number) { return fmt::format("pin/{:020}", number); }
// Numbered from 1 in each epoch.
inline std::string table_key(uint64_t epoch, uint64_t number) {
  return fmt::format("sst/{:020}/{:020}", epoch, number);
}

}  // namespace firn::tier
