#include "tier/content_index.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <memory>

#include "base/check.h"

namespace firn::tier {

namespace {

constexpr std::string_view kPurpose = "firn contents v1";

using Digest = std::array<unsigned char, meta::kContentHashBytes>;

std::string text_of(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

// A byte is enough for all tiers that there may be.
Digest sha256(uint32_t skip, std::string_view plain) {
  Digest digest;
  const auto policy = static_cast<unsigned char>(skip);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  CHECK(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  CHECK(EVP_DigestUpdate(context.get(), &policy, 1) == 1);
  CHECK(EVP_DigestUpdate(context.get(), plain.data(), plain.size()) == 1);
  CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

}  // namespace

ContentHasher::ContentHasher(const std::optional<Key>& volume_key)
    : key_(volume_key ? std::optional(derive_key(*volume_key, "", kPurpose)) : std::nullopt) {}

std::string ContentHasher::hash(std::string_view plain, uint32_t skip) const {
  if (plain.size() < kMinSharedBytes) return "";
  const Digest digest = sha256(skip, plain);
  if (!key_) return text_of(digest);
  Digest keyed;
  CHECK(HMAC(EVP_sha256(), key_->data(), static_cast<int>(key_->size()), digest.data(), digest.size(), keyed.data(),
             nullptr) != nullptr);
  return text_of(keyed);
}

void FramesOfPass::add(const std::string& hash, meta::Chunk frame) {
  if (!frames_.insert_or_assign(hash, std::move(frame)).second) return;
  order_.push_back(hash);
  if (order_.size() <= kMaxFrames) return;
  frames_.erase(order_.front());
  order_.pop_front();
}

std::optional<meta::Chunk> FramesOfPass::find(const std::string& hash) const {
  const auto found = frames_.find(hash);
  return found == frames_.end() ? std::nullopt : std::optional(found->second);
}

void FramesOfPass::forget_blob(std::string_view name) {
  std::erase_if(frames_, [name](const auto& entry) { return entry.second.blob == name; });
}

}  // namespace firn::tier
