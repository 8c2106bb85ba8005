// The volume's key, wrapped: what is stored of it can be opened with a passphrase or a key file only.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "base/status.h"
#include "tier/blob/sealing.h"

namespace firn::tier {

// Memory-hard derivation (scrypt, RFC 7914): N = 2^log_n, 128 * N * r bytes of memory.
struct ScryptCost {
  uint32_t log_n = 17;  // with r = 8: 128 MiB, about half a second
  uint32_t r = 8;
  uint32_t p = 1;
};

// What is stored. Changing the passphrase makes another one of the same key: no data is rewritten.
struct WrappedKey {
  ScryptCost cost;
  std::string salt;    // 32 random bytes
  std::string sealed;  // the volume's key, AES-256-GCM with the derived key
};

// The bytes of a WrappedKey of proto/meta.proto, which the volume's record keeps.
std::string encode(const WrappedKey& wrapped);
// kCorrupt when it does not parse; unwrap_key() judges what it says.
Result<WrappedKey> decode_wrapped_key(std::string_view bytes);

Key make_key(Random& random);
// `secret`: a passphrase, or the content of a key file; kInvalid when it is empty.
Result<WrappedKey> wrap_key(const Key& key, std::string_view secret, Random& random, ScryptCost cost = {});
// kAccessDenied: not the secret it was wrapped with (or damage, which cannot be told apart). kCorrupt: impossible
// costs.
Result<Key> unwrap_key(const WrappedKey& wrapped, std::string_view secret);

}  // namespace firn::tier
