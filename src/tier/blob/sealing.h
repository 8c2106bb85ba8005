// Sealing of frames: AES-256-GCM with a key for each blob, so that a nonce need only be unique within its blob.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
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

// Seals, or opens, many pieces with one key. Not thread-safe.
class Sealer {
 public:
  explicit Sealer(const Key& key);
  ~Sealer();
  // plain.size() + kTagBytes bytes into `to`: the ciphertext and its tag. `nonce` must never be used twice with the
  // key. `associated` is authenticated, not kept.
  void seal(std::string_view plain, uint64_t nonce, std::string_view associated, char* to);
  // sealed.size() - kTagBytes bytes into `to`. kCorrupt: the key is another, or any byte of the three is.
  Result<void> unseal(std::string_view sealed, uint64_t nonce, std::string_view associated, char* to);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// The same of one piece: the ciphertext and its tag. `nonce` must never be used twice with `key`. `associated` is
// authenticated, not kept.
std::string seal(std::string_view plain, const Key& key, uint64_t nonce, std::string_view associated);
// kCorrupt: the key is another, or any byte of the four is.
Result<std::string> unseal(std::string_view sealed, const Key& key, uint64_t nonce, std::string_view associated);

}  // namespace firn::tier
