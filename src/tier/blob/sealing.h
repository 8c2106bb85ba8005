// Sealing of frames: AES-256-GCM with a key for each blob, so that a nonce need only be unique within its blob.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tier/blob/blob_id.h"

namespace firn::tier {

inline constexpr size_t kKeyBytes = 32;
inline constexpr size_t kTagBytes = 16;
using Key = std::array<std::byte, kKeyBytes>;

// HKDF-SHA256 (RFC 5869) of the volume's key. `purpose` tells apart what is sealed, `salt` the one thing.
Key derive_key(const Key& volume_key, std::string_view salt, std::string_view purpose);
// The same with the blob's id as salt.
Key blob_key(const Key& volume_key, const BlobId& blob);

// The ciphertext and its tag. `nonce` must never be used twice with `key`. `associated` is authenticated, not kept.
std::string seal(std::string_view plain, const Key& key, uint32_t nonce, std::string_view associated);
// kCorrupt: the key is another, or any byte of the four is.
Result<std::string> unseal(std::string_view sealed, const Key& key, uint32_t nonce, std::string_view associated);

}  // namespace firn::tier
