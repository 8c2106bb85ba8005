// Tokens that let whoever shows one in: what each allows, and how they are kept (docs/formats/tokens.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "http/peer.h"

namespace firn::http {

using TokenHash = std::array<unsigned char, 32>;

// What is kept of a token. The secret itself is not: it is a random 256-bit number, so its plain SHA-256 cannot be
// turned back.
struct Token {
  std::string id;  // eight hexadecimal digits; names it to people, and is no secret
  TokenHash hash{};
  std::string name;  // for people
  std::string scope;
  Right right = Right::kRead;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;
  int64_t created_s = 0;  // since 1970
  int64_t expires_s = 0;  // 0: never

  bool expired(int64_t now_s) const { return expires_s != 0 && now_s >= expires_s; }
  Peer peer() const;
};

inline constexpr size_t kMaxTokens = 1000;
inline constexpr size_t kMaxTokenNameBytes = 100;
inline constexpr size_t kMaxGroups = 64;

// "firn_" and 64 hexadecimal digits, of 256 bits of `random`, which must be unpredictable.
std::string make_token_secret(Random& random);
TokenHash hash_of_secret(std::string_view secret);

// The token that `secret` is. The time it takes tells nothing about how alike they are.
const Token* find_token(std::span<const Token> tokens, std::string_view secret);

// The credentials of "Authorization: Bearer SECRET"; nullopt for another scheme.
std::optional<std::string_view> bearer_secret(std::string_view authorization);

std::string_view name_of(Right right);
// "read", "write" or "admin".
std::optional<Right> right_named(std::string_view name);

// The text of the file of tokens, and back. kCorrupt names the line; nothing of such a file counts.
std::string render_tokens(std::span<const Token> tokens);
Result<std::vector<Token>> parse_tokens(std::string_view text);

}  // namespace firn::http
