// What is answered about tokens: the same from a running daemon (/v1/admin/tokens) and by `firn token` alone.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/token.h"

namespace firn::http {

inline constexpr std::string_view kTokensPath = "/v1/admin/tokens";

struct TokenAnswer {
  Response response;
  // What the tokens are from now on; the response is to be given when they have been kept. Nothing: as they were.
  std::optional<std::vector<Token>> changed;
};

struct TokenQuestion {
  const std::vector<Token>& tokens;
  const Request& request;
  int64_t now_s = 0;
  // Whom a token is for that does not say so.
  uint32_t default_uid = 0;
  uint32_t default_gid = 0;
  Random& random;
};

// GET: {"tokens":[...]}. POST ?right=&path=&name=&uid=&gid=&groups=&expires=: makes one; 201 with it, and its "secret"
// this once. DELETE /v1/admin/tokens/ID: 204. kInvalid and kNotFound say why not.
Result<TokenAnswer> answer_about_tokens(const TokenQuestion& question);

}  // namespace firn::http
