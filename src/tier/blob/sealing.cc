#include "tier/blob/sealing.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <memory>

#include "base/bytes.h"
#include "base/check.h"

namespace firn::tier {

namespace {

constexpr std::string_view kPurpose = "firn blob v1";
constexpr size_t kNonceBytes = 12;

const unsigned char* raw(const void* bytes) { return static_cast<const unsigned char*>(bytes); }
unsigned char* raw(char* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)>;

Cipher start(bool sealing, const Key& key, uint32_t nonce, std::string_view associated) {
  std::array<unsigned char, kNonceBytes> iv{};
  store_be(iv.data() + kNonceBytes - sizeof nonce, nonce);
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  CHECK(cipher &&
        EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw(key.data()), iv.data(), sealing) == 1);
  int ignored = 0;
  CHECK(EVP_CipherUpdate(cipher.get(), nullptr, &ignored, raw(associated.data()),
                         static_cast<int>(associated.size())) == 1);
  return cipher;
}

}  // namespace

Key derive_key(const Key& volume_key, std::string_view salt, std::string_view purpose) {
  Key key{};
  size_t bytes = key.size();
  const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr),
                                                                       EVP_PKEY_CTX_free);
  CHECK(context && EVP_PKEY_derive_init(context.get()) == 1);
  CHECK(EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) == 1);
  CHECK(EVP_PKEY_CTX_set1_hkdf_salt(context.get(), raw(salt.data()), static_cast<int>(salt.size())) == 1);
  CHECK(EVP_PKEY_CTX_set1_hkdf_key(context.get(), raw(volume_key.data()), static_cast<int>(volume_key.size())) == 1);
  CHECK(EVP_PKEY_CTX_add1_hkdf_info(context.get(), raw(purpose.data()), static_cast<int>(purpose.size())) == 1);
  CHECK(EVP_PKEY_derive(context.get(), reinterpret_cast<unsigned char*>(key.data()), &bytes) == 1);
  return key;
}

Key blob_key(const Key& volume_key, const BlobId& blob) {
  return derive_key(volume_key, {reinterpret_cast<const char*>(blob.bytes.data()), blob.bytes.size()}, kPurpose);
}

std::string seal(std::string_view plain, const Key& key, uint32_t nonce, std::string_view associated) {
  const Cipher cipher = start(true, key, nonce, associated);
  std::string sealed(plain.size() + kTagBytes, '\0');
  int written = 0, last = 0;
  CHECK(EVP_CipherUpdate(cipher.get(), raw(sealed.data()), &written, raw(plain.data()),
                         static_cast<int>(plain.size())) == 1);
  CHECK(EVP_CipherFinal_ex(cipher.get(), raw(sealed.data()) + written, &last) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, sealed.data() + plain.size()) == 1);
  return sealed;
}

Result<std::string> unseal(std::string_view sealed, const Key& key, uint32_t nonce, std::string_view associated) {
  if (sealed.size() < kTagBytes) return fail(Code::kCorrupt, "a sealed frame is cut short");
  const Cipher cipher = start(false, key, nonce, associated);
  const size_t plain_bytes = sealed.size() - kTagBytes;
  std::string plain(plain_bytes, '\0');
  std::array<char, kTagBytes> tag{};
  sealed.copy(tag.data(), kTagBytes, plain_bytes);
  int written = 0, last = 0;
  CHECK(EVP_CipherUpdate(cipher.get(), raw(plain.data()), &written, raw(sealed.data()),
                         static_cast<int>(plain_bytes)) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1);
  if (EVP_CipherFinal_ex(cipher.get(), raw(plain.data()) + written, &last) != 1)
    return fail(Code::kCorrupt, "a sealed frame fails its authentication: it is damaged, or the key is another");
  return plain;
}

}  // namespace firn::tier
