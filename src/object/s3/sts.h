// The Security Token Service: credentials of a role, for a while.
// Source: "AssumeRole", "AssumeRoleWithWebIdentity", AWS Security Token Service API Reference; "Making query requests",
// IAM User Guide.
#pragma once

#include <cstdint>
#include <string>

#include "object/s3/credentials.h"
#include "object/s3/http_client.h"

namespace firn::object::s3 {

struct StsEndpoint {
  std::string url;     // "https://sts.eu-central-1.amazonaws.com"
  std::string region;  // that requests are signed for
};

// Where the environment, the chosen profile, or else the region has it.
Result<StsEndpoint> sts_endpoint(const Environment& environment);

struct Role {
  std::string arn;
  std::string session_name;  // as logs of the service show it
  std::string external_id;   // may be empty
  int64_t duration_s = 0;    // 0: the service's own choice
  std::string origin;        // for messages: "the profile p"
};

// `caller`'s credentials for those of the role. kAccessDenied: the service refuses; kUnavailable, kTimedOut: it does
// not answer, or something else than credentials. Messages have the first line of its reason, and no secrets. `http`
// must outlive the task.
io::Task<Result<Credentials>> assume_role(HttpClient& http, StsEndpoint sts, Role role, Credentials caller,
                                          io::Until until);

// The same for whom another one vouches, with this token: the request is not signed.
io::Task<Result<Credentials>> assume_role_with_web_identity(HttpClient& http, StsEndpoint sts, Role role,
                                                            std::string token, io::Until until);

// What the service answers with status 200. kUnavailable: something else than credentials; the message does not repeat
// it.
Result<Credentials> parse_sts_answer(const std::string& xml);

}  // namespace firn::object::s3
