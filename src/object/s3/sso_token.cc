#include "object/s3/sso_token.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/time.h"
#include "object/s3/endpoint.h"
#include "object/s3/iso_time.h"
#include "object/s3/json_text.h"
#include "object/s3/shown_line.h"
#include "object/s3/small_file.h"

namespace firn::object::s3 {

namespace {

constexpr int64_t kQuestionNs = 20'000'000'000;
constexpr uint64_t kMaxAnswerBytes = 64 << 10;
constexpr int64_t kRenewBeforeS = 300;
constexpr int64_t kLongestS = int64_t{10} * 365 * 24 * 3600;  // more than any service gives

// As a header it must be one word.
bool is_word(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<int64_t> time_of(const nlohmann::json& json, const char* key) {
  std::string text = json_text(json, key);
  if (text.ends_with("UTC")) text.replace(text.size() - 3, 3, "Z");  // as older tools write it
  return parse_iso_time(text);
}

Status refused(const HttpResponse& answer, const std::string& what, const SsoToken& token) {
  const auto json = nlohmann::json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  const std::vector<std::string> secrets = {token.access_token, token.refresh_token, token.client_secret,
                                            token.client_id};
  std::string why = "HTTP status " + std::to_string(answer.status);
  for (const char* key : {"error", "error_description"})
    if (const std::string line = shown_line(json_text(json, key), secrets); !line.empty()) why += ": " + line;
  const bool passing = answer.status >= 500 || answer.status == 429 || json_text(json, "error") == "slow_down";
  return Status(passing ? Code::kUnavailable : Code::kAccessDenied, what + ": " + why);
}

std::string question_of(const SsoToken& token) {
  const nlohmann::json question = {{"clientId", token.client_id},
                                   {"clientSecret", token.client_secret},
                                   {"grantType", "refresh_token"},
                                   {"refreshToken", token.refresh_token}};
  return question.dump();
}

// The file's text with the new one. `text`: as it is, of which `token` is.
io::Task<Result<std::string>> renew(HttpClient& http, const SsoRole& role, const std::string& text,
                                    const SsoToken& token, const Environment& environment, io::Until until) {
  std::string url = CO_TRY(configured_endpoint("sso_oidc", environment));
  if (url.empty()) url = amazon_endpoint("oidc", role.region);
  const std::string what = "renewing the token of " + role.token_file + " at " + url;
  const Result<HttpResponse> answer = co_await http.send({.method = "POST",
                                                          .url = url + "/token",
                                                          .headers = {"content-type: application/json"},
                                                          .body = Content(question_of(token)),
                                                          .max_body_bytes = kMaxAnswerBytes,
                                                          .until = io::at_most(kQuestionNs, until)});
  if (!answer) co_return fail(answer.error().code(), what + ": " + answer.error().to_string());
  if (answer->status != 200) co_return fail(refused(*answer, what, token));
  Result<std::string> renewed = with_renewed_sso_token(text, answer->body, system_clock().now().seconds);
  if (!renewed) co_return fail(renewed.error().code(), what + ": " + renewed.error().message());
  co_return renewed;
}

// Another program may have been first: the service takes a refresh token once.
std::optional<std::string> renewed_by_others(const std::string& path, const SsoToken& token, int64_t now_s) {
  const Result<std::string> text = read_small_file(path);
  if (!text) return std::nullopt;
  Result<SsoToken> found = parse_sso_token(*text);
  if (!found || found->access_token == token.access_token || found->expires_s <= now_s) return std::nullopt;
  return std::move(found->access_token);
}

}  // namespace

Result<SsoToken> parse_sso_token(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  SsoToken token{.access_token = json_text(json, "accessToken"),
                 .client_id = json_text(json, "clientId"),
                 .client_secret = json_text(json, "clientSecret"),
                 .refresh_token = json_text(json, "refreshToken"),
                 .registration_expires_s = time_of(json, "registrationExpiresAt").value_or(0)};
  if (!is_word(token.access_token)) return fail(Code::kAccessDenied, "has no accessToken");
  const std::optional<int64_t> expires_s = time_of(json, "expiresAt");
  if (!expires_s) return fail(Code::kAccessDenied, "has no time as expiresAt");
  token.expires_s = *expires_s;
  return token;
}

Result<std::string> with_renewed_sso_token(const std::string& text, const std::string& answer, int64_t now_s) {
  auto file = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto json = nlohmann::json::parse(answer, nullptr, /*allow_exceptions=*/false);
  const std::string token = json_text(json, "accessToken");
  if (!file.is_object() || !is_word(token)) return fail(Code::kUnavailable, "the answer has no accessToken");
  if (!json.contains("expiresIn") || !json["expiresIn"].is_number_integer())
    return fail(Code::kUnavailable, "the answer's expiresIn is no number");
  const auto lasts_s = json["expiresIn"].get<int64_t>();
  if (lasts_s <= 0 || lasts_s > kLongestS) return fail(Code::kUnavailable, "the answer's expiresIn is not a time");
  file["accessToken"] = token;
  file["expiresAt"] = iso_time(now_s + lasts_s);
  if (const std::string refresh = json_text(json, "refreshToken"); !refresh.empty()) file["refreshToken"] = refresh;
  return file.dump();
}

io::Task<Result<std::string>> sso_access_token(HttpClient& http, io::BlockingPool& pool, SsoRole role,
                                               Environment environment, io::Until until) {
  const std::string& path = role.token_file;
  const std::string sign_in = "; run: aws sso login --profile " + role.profile;
  const Result<std::string> text = read_small_file(path);
  if (!text) co_return fail(Code::kAccessDenied, text.error().message() + sign_in);
  const Result<SsoToken> token = parse_sso_token(*text);
  if (!token) co_return fail(Code::kAccessDenied, path + ": " + token.error().message() + sign_in);
  const int64_t now_s = system_clock().now().seconds;
  if (token->expires_s - now_s > kRenewBeforeS) co_return token->access_token;
  if (!token->is_renewable(now_s)) {
    if (token->expires_s > now_s) co_return token->access_token;
    co_return fail(Code::kAccessDenied, path + ": the sign-in has expired, at " + iso_time(token->expires_s) +
                                            ", and cannot be renewed" + sign_in);
  }
  const Result<std::string> renewed = co_await renew(http, role, *text, *token, environment, until);
  if (renewed) {
    const Status kept =
        co_await pool.run([path, before = *text, after = *renewed] { return replace_small_file(path, before, after); });
    if (!kept.ok()) log::warning("the renewed token of a sign-in cannot be kept: {}", kept.message());
    co_return CO_TRY(parse_sso_token(*renewed)).access_token;
  }
  if (std::optional<std::string> theirs = renewed_by_others(path, *token, now_s)) co_return *std::move(theirs);
  if (token->expires_s > now_s) {
    log::warning("{}; the old one holds until {}", renewed.error().message(), iso_time(token->expires_s));
    co_return token->access_token;
  }
  if (renewed.error().code() != Code::kAccessDenied) co_return fail(renewed.error());
  co_return fail(Code::kAccessDenied, renewed.error().message() + sign_in);
}

}  // namespace firn::object::s3
