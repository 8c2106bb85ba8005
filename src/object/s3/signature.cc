#include "object/s3/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>

#include "base/check.h"
#include "base/hex.h"

namespace firn::object::s3 {

namespace {

constexpr size_t kDigestBytes = 32;

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, kDigestBytes> digest{};
  unsigned bytes = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &bytes) != nullptr);
  return {reinterpret_cast<const char*>(digest.data()), bytes};
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void update(std::string_view bytes) { CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1); }
  std::string hex() {
    std::array<unsigned char, kDigestBytes> digest{};
    CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string amz_date(int64_t time_s) {
  const auto time = static_cast<time_t>(time_s);
  tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts)};
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_hex(const Content& content) {
  Sha256 hash;
  for (const auto& piece : content.pieces()) hash.update(*piece);
  return hash.hex();
}

std::string SigningKey::of(const std::string& secret, const std::string& day, const std::string& region) {
  const std::lock_guard lock(key_mutex_);
  if (key_.empty() || secret != secret_ || day != day_ || region != region_) {
    key_ = hmac(hmac(hmac(hmac("AWS4" + secret, day), region), service_), "aws4_request");
    secret_ = secret;
    day_ = day;
    region_ = region;
    ++derivations_;
  }
  return key_;
}

uint64_t SigningKey::derivations() const {
  const std::lock_guard lock(key_mutex_);
  return derivations_;
}

std::string authorization(const SignedParts& parts, const Credentials& credentials, const std::string& region,
                          int64_t time_s, SigningKey& key) {
  auto headers = parts.headers;
  std::ranges::sort(headers);
  std::string canonical_headers, names;
  for (const auto& [name, value] : headers) {
    canonical_headers += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  const std::string request = parts.method + "\n" + parts.path + "\n" + parts.query + "\n" + canonical_headers + "\n" +
                              names + "\n" + parts.payload_sha256;
  const std::string date = amz_date(time_s);
  const std::string day = date.substr(0, 8);
  const std::string scope = day + "/" + region + "/" + key.service() + "/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256_hex(request);
  return "AWS4-HMAC-SHA256 Credential=" + credentials.access_key_id + "/" + scope + ",SignedHeaders=" + names +
         ",Signature=" + to_hex(hmac(key.of(credentials.secret_access_key, day, region), to_sign));
}

}  // namespace firn::object::s3
