// Single sign-on (IAM Identity Center): credentials of a role for who has signed in with `aws sso login`.
// Source: "IAM Identity Center credential provider", AWS SDKs and Tools Reference Guide; "GetRoleCredentials", IAM
// Identity Center Portal API Reference.
#pragma once

#include <string>

#include "io/blocking_pool.h"
#include "object/s3/credentials.h"
#include "object/s3/http_client.h"
#include "object/s3/profile.h"

namespace firn::object::s3 {

struct SsoRole {
  std::string account_id, role_name;
  std::string region;      // of the portal
  std::string token_file;  // where the AWS tools keep the token of who has signed in
  std::string profile;     // for messages
};

// What the profile, and the "sso-session" section that it may name, say. kAccessDenied: something is missing, or they
// contradict one another.
Result<SsoRole> sso_role(const Profile& profile, const SharedFiles& files, const Environment& environment);

// What the portal answers with status 200. kUnavailable: something else than credentials; the message does not repeat
// it.
Result<Credentials> parse_sso_answer(const std::string& text);

// Asks the portal, with the token of who has signed in (sso_token.h): AWS_ENDPOINT_URL_SSO and others (endpoint.h), or
// Amazon's. kAccessDenied: there is no such token, or it has expired and is not renewed, or the role is refused. `http`
// and `pool` must outlive the task.
io::Task<Result<Credentials>> ask_sso(HttpClient& http, io::BlockingPool& pool, SsoRole role, Environment environment,
                                      io::Until until);

}  // namespace firn::object::s3
