#include "tier/blob/sealing.h"

#include <openssl/crypto.h>
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

struct Sealer::Context {
  Key key;
  std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> cipher{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
  bool keyed = false;

  ~Context() { OPENSSL_cleanse(key.data(), key.size()); }

  // The key's schedule is computed once.
  EVP_CIPHER_CTX* start(bool sealing, uint64_t nonce, std::string_view associated) {
    std::array<unsigned char, kNonceBytes> iv{};
    store_be(iv.data() + kNonceBytes - sizeof nonce, nonce);
    if (!keyed) CHECK(EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw(key.data()), nullptr, 1) == 1);
    keyed = true;
    CHECK(EVP_CipherInit_ex(cipher.get(), nullptr, nullptr, nullptr, iv.data(), sealing) == 1);
    int ignored = 0;
    CHECK(EVP_CipherUpdate(cipher.get(), nullptr, &ignored, raw(associated.data()),
                           static_cast<int>(associated.size())) == 1);
    return cipher.get();
  }
};

Sealer::Sealer(const Key& key) : context_(new Context{.key = key}) {}
Sealer::~Sealer() = default;

void Sealer::seal(std::string_view plain, uint64_t nonce, std::string_view associated, char* to) {
  EVP_CIPHER_CTX* cipher = context_->start(true, nonce, associated);
  int written = 0, last = 0;
  CHECK(EVP_CipherUpdate(cipher, raw(to), &written, raw(plain.data()), static_cast<int>(plain.size())) == 1);
  CHECK(EVP_CipherFinal_ex(cipher, raw(to) + written, &last) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, kTagBytes, to + plain.size()) == 1);
}

Result<void> Sealer::unseal(std::string_view sealed, uint64_t nonce, std::string_view associated, char* to) {
  if (sealed.size() < kTagBytes) return fail(Code::kCorrupt, "a sealed frame is cut short");
  EVP_CIPHER_CTX* cipher = context_->start(false, nonce, associated);
  const size_t plain_bytes = sealed.size() - kTagBytes;
  std::array<char, kTagBytes> tag{};
  sealed.copy(tag.data(), kTagBytes, plain_bytes);
  int written = 0, last = 0;
  CHECK(EVP_CipherUpdate(cipher, raw(to), &written, raw(sealed.data()), static_cast<int>(plain_bytes)) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1);
  if (EVP_CipherFinal_ex(cipher, raw(to) + written, &last) != 1)
    return fail(Code::kCorrupt, "a sealed frame fails its authentication: it is damaged, or the key is another");
  return {};
}

std::string seal(std::string_view plain, const Key& key, uint64_t nonce, std::string_view associated) {
  std::string sealed(plain.size() + kTagBytes, '\0');
  Sealer(key).seal(plain, nonce, associated, sealed.data());
  return sealed;
}

Result<std::string> unseal(std::string_view sealed, const Key& key, uint64_t nonce, std::string_view associated) {
  std::string plain(sealed.size() < kTagBytes ? 0 : sealed.size() - kTagBytes, '\0');
  TRY(Sealer(key).unseal(sealed, nonce, associated, plain.data()));
  return plain;
}

}  // namespace firn::tier
