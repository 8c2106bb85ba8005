// The token of who has signed in (`aws sso login`), in the AWS tools' own file, and its renewal.
// Source: "IAM Identity Center credential provider", AWS SDKs and Tools Reference Guide; "CreateToken", IAM Identity
// Center OIDC API Reference; RFC 6749, sections 5 and 6.
#pragma once

#include <string>

#include "io/blocking_pool.h"
#include "object/s3/http_client.h"
#include "object/s3/sso.h"

namespace firn::object::s3 {

struct SsoToken {
  std::string access_token;
  int64_t expires_s = 0;  // since 1970
  // What renews it. A file that lacks some of it is of a sign-in that is not to be renewed.
  std::string client_id, client_secret, refresh_token;
  int64_t registration_expires_s = 0;  // of the client's two; 0: not known

  bool is_renewable(int64_t now_s) const {
    return !client_id.empty() && !client_secret.empty() && !refresh_token.empty() && registration_expires_s > now_s;
  }
};

// What is in such a file. kAccessDenied: no token, or no time at which it expires; the message has nothing of it.
Result<SsoToken> parse_sso_token(const std::string& text);

// `text`, a file that parse_sso_token() takes, with what the service has answered to CreateToken, with status 200 at
// `now_s`; all else stays. kUnavailable: something else than a token; the message does not repeat it.
Result<std::string> with_renewed_sso_token(const std::string& text, const std::string& answer, int64_t now_s);

// The file's token. One that expires within five minutes, or has, is renewed where it can be: by
// AWS_ENDPOINT_URL_SSO_OIDC and others (endpoint.h), or Amazon's; the file then has the new one, unless somebody else
// has written it meanwhile. While the old one holds, a renewal that fails is a warning in the log. kAccessDenied:
// somebody must sign in; the message says how. Nothing of any token is in a message. `http` and `pool` must outlive the
// task.
io::Task<Result<std::string>> sso_access_token(HttpClient& http, io::BlockingPool& pool, SsoRole role,
                                               Environment environment, io::Until until);

}  // namespace firn::object::s3
