#include "object/s3/sso.h"

#include <openssl/evp.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/hex.h"
#include "object/s3/endpoint.h"
#include "object/s3/form.h"
#include "object/s3/json_text.h"
#include "object/s3/shown_line.h"
#include "object/s3/sso_token.h"

namespace firn::object::s3 {

namespace {

constexpr int64_t kQuestionNs = 20'000'000'000;
constexpr uint64_t kMaxAnswerBytes = 64 << 10;
constexpr int64_t kMsPerS = 1000;

// The AWS tools' name for a file.
std::string sha1_hex(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned bytes = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &bytes, EVP_sha1(), nullptr) == 1);
  return to_hex({reinterpret_cast<const char*>(digest.data()), bytes});
}

Status refused(const HttpResponse& answer, const SsoRole& role, const std::string& what, const std::string& token) {
  const auto json = nlohmann::json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  std::string why = "HTTP status " + std::to_string(answer.status);
  if (const std::string line = shown_line(json_text(json, "message"), {token}); !line.empty()) why += ": " + line;
  if (answer.status == 401) why += "; the sign-in has ended: run: aws sso login --profile " + role.profile;
  const bool passing = answer.status >= 500 || answer.status == 429;
  return Status(passing ? Code::kUnavailable : Code::kAccessDenied, what + ": " + why);
}

}  // namespace

Result<SsoRole> sso_role(const Profile& profile, const SharedFiles& files, const Environment& environment) {
  SsoRole role{.account_id = profile.get("sso_account_id"),
               .role_name = profile.get("sso_role_name"),
               .region = profile.get("sso_region"),
               .profile = profile.name()};
  std::string start_url = profile.get("sso_start_url");
  const std::string session = profile.get("sso_session");
  if (!session.empty()) {
    std::optional<Section> section = files.config_section("sso-session " + session);
    if (!section)
      return fail(profile.wrong("sso_session", "= " + session + ": there is no [sso-session " + session + "]"));
    for (const auto& [key, value] : {std::pair<const char*, std::string*>{"sso_region", &role.region},
                                     std::pair<const char*, std::string*>{"sso_start_url", &start_url}}) {
      const std::string ours = (*section)[key];
      if (ours.empty())
        return fail(profile.wrong("sso_session", "= " + session + ": [sso-session " + session + "] has no " + key));
      if (!value->empty() && *value != ours)
        return fail(profile.wrong(key, "is another than that of [sso-session " + session + "]"));
      *value = ours;
    }
  }
  for (const auto& [key, value] : {std::pair<const char*, const std::string*>{"sso_account_id", &role.account_id},
                                   {"sso_role_name", &role.role_name},
                                   {"sso_region", &role.region},
                                   {"sso_start_url", &start_url}})
    if (value->empty()) return fail(profile.wrong(key, "is missing, for single sign-on"));
  const std::string name = session.empty() ? start_url : session;
  role.token_file = environment.get("HOME") + "/.aws/sso/cache/" + sha1_hex(name) + ".json";
  return role;
}

Result<Credentials> parse_sso_answer(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto role = json.is_object() ? json.value("roleCredentials", nlohmann::json()) : nlohmann::json();
  Credentials found{.access_key_id = json_text(role, "accessKeyId"),
                    .secret_access_key = json_text(role, "secretAccessKey"),
                    .session_token = json_text(role, "sessionToken")};
  if (found.access_key_id.empty() || found.secret_access_key.empty())
    return fail(Code::kUnavailable, "the answer has no accessKeyId and secretAccessKey");
  if (!role.contains("expiration") || !role["expiration"].is_number_integer())
    return fail(Code::kUnavailable, "the answer's expiration is no number");
  found.expires_s = role["expiration"].get<int64_t>() / kMsPerS;
  return found;
}

io::Task<Result<Credentials>> ask_sso(HttpClient& http, io::BlockingPool& pool, SsoRole role, Environment environment,
                                      io::Until until) {
  const std::string what = "single sign-on of the profile " + role.profile;
  const Result<std::string> token = co_await sso_access_token(http, pool, role, environment, until);
  if (!token) co_return fail(token.error().code(), what + ": " + token.error().message());
  std::string url = CO_TRY(configured_endpoint("sso", environment));
  if (url.empty()) url = amazon_endpoint("portal.sso", role.region);
  const std::string query = form_encoded({{"role_name", role.role_name}, {"account_id", role.account_id}});
  const Result<HttpResponse> answer = co_await http.send({.method = "GET",
                                                          .url = url + "/federation/credentials?" + query,
                                                          .headers = {"x-amz-sso_bearer_token: " + *token},
                                                          .max_body_bytes = kMaxAnswerBytes,
                                                          .until = io::at_most(kQuestionNs, until)});
  if (!answer) co_return fail(answer.error().code(), what + ": " + answer.error().to_string());
  if (answer->status != 200) co_return fail(refused(*answer, role, what + " at " + url, *token));
  Result<Credentials> found = parse_sso_answer(answer->body);
  if (!found) co_return fail(found.error().code(), what + " at " + url + ": " + found.error().to_string());
  found->source = what;
  co_return found;
}

}  // namespace firn::object::s3
