// Whatever a server answers, it is a refusal with a message, or credentials, and nothing worse.
#include <cstdint>

#include "object/s3/answer.h"
#include "object/s3/profile.h"
#include "object/s3/shown_line.h"
#include "object/s3/sso.h"
#include "object/s3/sso_token.h"
#include "object/s3/sts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace firn::object::s3;
  const std::string body(reinterpret_cast<const char*>(data), bytes);
  const long status = bytes > 0 ? 300 + data[0] : 500;
  if (refusal({.status = status, .body = body}, "get k").status.ok()) __builtin_trap();
  if (const auto found = parse_sts_answer(body);
      found ? found->secret_access_key.empty() || !found->expires_s : found.error().message().empty())
    __builtin_trap();
  if (const auto found = parse_sso_answer(body);
      found ? found->secret_access_key.empty() || !found->expires_s : found.error().message().empty())
    __builtin_trap();
  if (const auto token = parse_sso_token(body);
      token && token->access_token.find_first_of("\r\n ") != std::string::npos)
    __builtin_trap();
  if (const auto renewed = with_renewed_sso_token(R"({"accessToken":"t"})", body, 0);
      renewed && !parse_sso_token(*renewed))
    __builtin_trap();
  if (parse_sso_token(body)) (void)with_renewed_sso_token(body, R"({"accessToken":"t","expiresIn":1})", 0);
  if (shown_line(body).find('\n') != std::string::npos) __builtin_trap();
  (void)parse_profiles(body);
  return 0;
}
