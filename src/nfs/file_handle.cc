#include "nfs/file_handle.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <cstring>
#include <mutex>

#include "base/bytes.h"
#include "base/check.h"

namespace firn::nfs {
namespace {

constexpr size_t kMacBytes = 16;
constexpr size_t kSignedBytes = kHandleBytes - kMacBytes;
constexpr uint32_t kVersion = uint32_t{1} << 24;

}  // namespace

uint64_t generation_of(const meta::Attr& attr) {
  return static_cast<uint64_t>(attr.btime.seconds) * 1'000'000'000 + attr.btime.nanoseconds;
}

struct HandleKey::Impl {
  EVP_MAC* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* keyed = nullptr;
  std::mutex mutex;  // guards `keyed`; for one short message

  explicit Impl(const HandleSecret& secret) {
    CHECK(algorithm);
    keyed = EVP_MAC_CTX_new(algorithm);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    CHECK(keyed &&
          EVP_MAC_init(keyed, reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), parameters) == 1);
  }
  ~Impl() {
    EVP_MAC_CTX_free(keyed);
    EVP_MAC_free(algorithm);
  }
  void sign(const std::byte* message, std::byte* mac) {
    unsigned char whole[32];
    size_t bytes = 0;
    std::lock_guard lock(mutex);
    // The key stays; a new message begins.
    CHECK(EVP_MAC_init(keyed, nullptr, 0, nullptr) == 1);
    CHECK(EVP_MAC_update(keyed, reinterpret_cast<const unsigned char*>(message), kSignedBytes) == 1);
    CHECK(EVP_MAC_final(keyed, whole, &bytes, sizeof whole) == 1 && bytes == sizeof whole);
    std::memcpy(mac, whole, kMacBytes);
  }
};

HandleKey::HandleKey(const HandleSecret& secret, uint64_t volume_id)
    : impl_(std::make_unique<Impl>(secret)), volume_id_(volume_id) {}
HandleKey::~HandleKey() = default;
HandleKey::HandleKey(HandleKey&&) noexcept = default;

HandleBytes HandleKey::seal(const FileHandle& handle) const {
  HandleBytes bytes;
  store_be(bytes.data(), kVersion);
  store_be(bytes.data() + 4, handle.exported);
  store_be(bytes.data() + 8, volume_id_);
  store_be(bytes.data() + 16, handle.inode.value);
  store_be(bytes.data() + 24, handle.generation);
  impl_->sign(bytes.data(), bytes.data() + kSignedBytes);
  return bytes;
}

std::optional<FileHandle> HandleKey::open(std::span<const std::byte> bytes) const {
  if (bytes.size() != kHandleBytes || load_be<uint32_t>(bytes.data()) != kVersion) return std::nullopt;
  if (load_be<uint64_t>(bytes.data() + 8) != volume_id_) return std::nullopt;
  std::byte mac[kMacBytes];
  impl_->sign(bytes.data(), mac);
  if (CRYPTO_memcmp(mac, bytes.data() + kSignedBytes, kMacBytes) != 0) return std::nullopt;
  return FileHandle{.exported = load_be<uint32_t>(bytes.data() + 4),
                    .inode = InodeId(load_be<uint64_t>(bytes.data() + 16)),
                    .generation = load_be<uint64_t>(bytes.data() + 24)};
}

}  // namespace firn::nfs
