#include "tier/key_wrap.h"

#include <openssl/evp.h>

#include <cstring>

#include "meta.pb.h"

namespace firn::tier {

namespace {

constexpr std::string_view kPurpose = "firn volume key v1";
constexpr size_t kSaltBytes = 32;
// A record asks for at most so much, or it was not written by us.
constexpr uint64_t kMaxMemoryBytes = uint64_t{1} << 30;

bool plausible(const ScryptCost& cost) {
  return cost.log_n >= 1 && cost.log_n <= 24 && cost.r >= 1 && cost.r <= 32 && cost.p >= 1 && cost.p <= 16 &&
         (uint64_t{128} * cost.r << cost.log_n) <= kMaxMemoryBytes;
}

Result<Key> derive(std::string_view secret, std::string_view salt, const ScryptCost& cost) {
  Key key{};
  if (EVP_PBE_scrypt(secret.data(), secret.size(), reinterpret_cast<const unsigned char*>(salt.data()), salt.size(),
                     uint64_t{1} << cost.log_n, cost.r, cost.p, 2 * kMaxMemoryBytes,
                     reinterpret_cast<unsigned char*>(key.data()), key.size()) != 1)
    return fail(Code::kNoMemory, "there is not enough memory to derive the key from the passphrase");
  return key;
}

}  // namespace

std::string encode(const WrappedKey& wrapped) {
  record::WrappedKey message;
  message.set_log_n(wrapped.cost.log_n);
  message.set_r(wrapped.cost.r);
  message.set_p(wrapped.cost.p);
  message.set_salt(wrapped.salt);
  message.set_sealed(wrapped.sealed);
  return message.SerializeAsString();
}

Result<WrappedKey> decode_wrapped_key(std::string_view bytes) {
  record::WrappedKey message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail(Code::kCorrupt, "the wrapped key is damaged");
  return WrappedKey{.cost = {.log_n = message.log_n(), .r = message.r(), .p = message.p()},
                    .salt = message.salt(),
                    .sealed = message.sealed()};
}

Key make_key(Random& random) {
  Key key{};
  random.fill(key);
  return key;
}

Result<WrappedKey> wrap_key(const Key& key, std::string_view secret, Random& random, ScryptCost cost) {
  if (secret.empty()) return fail(Code::kInvalid, "the passphrase is empty");
  if (!plausible(cost)) return fail(Code::kInvalid, "the cost of deriving the key is out of range");
  WrappedKey wrapped{.cost = cost, .salt = std::string(kSaltBytes, '\0')};
  random.fill(std::as_writable_bytes(std::span(wrapped.salt)));
  // A fresh salt makes a key that wraps once: any nonce is new to it.
  const Key wrapping = TRY(derive(secret, wrapped.salt, cost));
  wrapped.sealed = seal({reinterpret_cast<const char*>(key.data()), key.size()}, wrapping, 0, kPurpose);
  return wrapped;
}

Result<Key> unwrap_key(const WrappedKey& wrapped, std::string_view secret) {
  if (!plausible(wrapped.cost) || wrapped.salt.size() != kSaltBytes || wrapped.sealed.size() != kKeyBytes + kTagBytes)
    return fail(Code::kCorrupt, "the wrapped key is damaged");
  const Key wrapping = TRY(derive(secret, wrapped.salt, wrapped.cost));
  const Result<std::string> opened = unseal(wrapped.sealed, wrapping, 0, kPurpose);
  if (!opened) return fail(Code::kAccessDenied, "the passphrase or key file does not open this volume");
  Key key{};
  std::memcpy(key.data(), opened->data(), key.size());
  return key;
}

}  // namespace firn::tier
