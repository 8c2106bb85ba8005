#include "http/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cctype>

#include "base/check.h"
#include "base/hex.h"

namespace firn::http {
namespace {

constexpr std::string_view kPrefix = "firn_";

struct Row {
  Right right;
  std::string_view name;
};
constexpr Row kRights[] = {{Right::kRead, "read"}, {Right::kWrite, "write"}, {Right::kAdmin, "admin"}};

}  // namespace

Peer Token::peer() const {
  return {.uid = uid, .gid = gid, .groups = groups, .right = right, .scope = scope, .token = id};
}

std::string make_token_secret(Random& random) {
  std::array<char, 32> bytes{};
  random.fill(std::as_writable_bytes(std::span(bytes)));
  std::string secret = std::string(kPrefix) + to_hex({bytes.data(), bytes.size()});
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return secret;
}

TokenHash hash_of_secret(std::string_view secret) {
  TokenHash hash{};
  unsigned bytes = 0;
  CHECK(EVP_Digest(secret.data(), secret.size(), hash.data(), &bytes, EVP_sha256(), nullptr) == 1);
  CHECK(bytes == hash.size());
  return hash;
}

const Token* find_token(std::span<const Token> tokens, std::string_view secret) {
  const TokenHash hash = hash_of_secret(secret);
  const Token* found = nullptr;
  for (const Token& token : tokens)
    if (CRYPTO_memcmp(token.hash.data(), hash.data(), hash.size()) == 0) found = &token;
  return found;
}

std::optional<std::string_view> bearer_secret(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer";
  const size_t blank = authorization.find(' ');
  if (blank != kScheme.size() || !std::ranges::equal(authorization.substr(0, blank), kScheme, {}, [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
      }))
    return std::nullopt;
  std::string_view secret = authorization.substr(blank);
  while (secret.starts_with(' ')) secret.remove_prefix(1);
  while (secret.ends_with(' ')) secret.remove_suffix(1);
  return secret;
}

std::string_view name_of(Right right) {
  for (const Row& row : kRights)
    if (row.right == right) return row.name;
  return right == Right::kHost ? "host" : "nothing";
}

std::optional<Right> right_named(std::string_view name) {
  for (const Row& row : kRights)
    if (row.name == name) return row.right;
  return std::nullopt;
}

}  // namespace firn::http
