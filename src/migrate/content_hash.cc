#include "migrate/content_hash.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace firn::migrate {

ContentHasher::ContentHasher() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void ContentHasher::add(std::span<const std::byte> bytes) {
  CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

// Never stored longer than the journal of a run on this machine: its own byte order will do.
void ContentHasher::add_number(uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }

void ContentHasher::begin(Extent extent) {
  add_number(extent.begin);
  add_number(extent.end);
}

ContentHash ContentHasher::finish(uint64_t size) {
  add_number(size);
  ContentHash hash{};
  CHECK(EVP_DigestFinal_ex(context_.get(), hash.data(), nullptr) == 1);
  return hash;
}

}  // namespace firn::migrate
