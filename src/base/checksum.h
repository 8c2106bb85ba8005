// The checksum of stored bytes: XXH3, 64 bits (xxHash 0.8; stable since then). Detects damage, not malice.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace firn {

uint64_t checksum64(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t checksum64(std::string_view bytes, uint64_t seed = 0);
// The same, without what only some processors have.
uint64_t checksum64_portable(std::string_view bytes, uint64_t seed = 0);

}  // namespace firn
