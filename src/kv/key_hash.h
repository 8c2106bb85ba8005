// The 64-bit fingerprint by which conflict detection knows a key. Not stored anywhere; may change.
#pragma once

#include <cstdint>
#include <string_view>

namespace firn::kv {

uint64_t hash_key(std::string_view key);

}  // namespace firn::kv
