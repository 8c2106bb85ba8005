#include "object/s3/sts.h"

#include <algorithm>
#include <array>

#include "base/time.h"
#include "object/s3/answer.h"
#include "object/s3/endpoint.h"
#include "object/s3/form.h"
#include "object/s3/iso_time.h"
#include "object/s3/shown_line.h"
#include "object/s3/signature.h"

namespace firn::object::s3 {

namespace {

constexpr int64_t kQuestionNs = 20'000'000'000;
constexpr uint64_t kMaxAnswerBytes = 64 << 10;
constexpr const char* kVersion = "2011-06-15";
constexpr const char* kFormType = "application/x-www-form-urlencoded; charset=utf-8";

// Those of status 400 that pass by themselves.
constexpr std::array<std::string_view, 4> kPassing = {"Throttling", "ThrottlingException", "RequestLimitExceeded",
                                                      "IDPCommunicationError"};

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(const std::string& action, const Role& role) {
  Fields fields = {
      {"Action", action}, {"Version", kVersion}, {"RoleArn", role.arn}, {"RoleSessionName", role.session_name}};
  if (!role.external_id.empty()) fields.emplace_back("ExternalId", role.external_id);
  if (role.duration_s != 0) fields.emplace_back("DurationSeconds", std::to_string(role.duration_s));
  return fields;
}

std::vector<std::string> signed_headers(const StsEndpoint& sts, const std::string& body, const Credentials& caller) {
  const int64_t now_s = system_clock().now().seconds;
  SignedParts parts{.method = "POST", .path = "/", .payload_sha256 = sha256_hex(std::string_view(body))};
  parts.headers = {
      {"content-type", kFormType}, {"host", sts.url.substr(sts.url.find("//") + 2)}, {"x-amz-date", amz_date(now_s)}};
  if (!caller.session_token.empty()) parts.headers.emplace_back("x-amz-security-token", caller.session_token);
  std::vector<std::string> headers;
  for (const auto& [name, value] : parts.headers) headers.push_back(name + ": " + value);
  SigningKey key("sts");
  headers.push_back("authorization: " + authorization(parts, caller, sts.region, now_s, key));
  return headers;
}

Status refused(const HttpResponse& answer, const std::string& what, const std::vector<std::string>& secrets) {
  const std::string code = xml_text(answer.body, "Code");
  const bool passing = answer.status >= 500 || answer.status == 429 || std::ranges::count(kPassing, code) > 0;
  std::string why = "HTTP status " + std::to_string(answer.status);
  if (!code.empty()) why += ", " + shown_line(code, secrets);
  if (const std::string line = shown_line(xml_text(answer.body, "Message"), secrets); !line.empty()) why += ": " + line;
  return Status(passing ? Code::kUnavailable : Code::kAccessDenied, what + ": " + why);
}

struct Question {
  std::string what;  // for messages
  std::string body;
  std::vector<std::string> headers;
  std::vector<std::string> secrets;  // that messages must not have
};

io::Task<Result<Credentials>> ask(HttpClient& http, std::string url, Question question, io::Until until) {
  const Result<HttpResponse> answer = co_await http.send({.method = "POST",
                                                          .url = url + "/",
                                                          .headers = std::move(question.headers),
                                                          .body = Content(std::move(question.body)),
                                                          .max_body_bytes = kMaxAnswerBytes,
                                                          .until = io::at_most(kQuestionNs, until)});
  if (!answer) co_return fail(answer.error().code(), question.what + ": " + answer.error().to_string());
  if (answer->status != 200) co_return fail(refused(*answer, question.what + " at " + url, question.secrets));
  Result<Credentials> found = parse_sts_answer(answer->body);
  if (!found) co_return fail(found.error().code(), question.what + " at " + url + ": " + found.error().to_string());
  found->source = question.what;
  co_return found;
}

}  // namespace

Result<StsEndpoint> sts_endpoint(const Environment& environment) {
  StsEndpoint sts{.url = TRY(configured_endpoint("sts", environment)), .region = chosen_region(environment)};
  if (sts.url.empty()) sts.url = amazon_endpoint("sts", sts.region);
  return sts;
}

Result<Credentials> parse_sts_answer(const std::string& xml) {
  Credentials found{.access_key_id = xml_text(xml, "AccessKeyId"),
                    .secret_access_key = xml_text(xml, "SecretAccessKey"),
                    .session_token = xml_text(xml, "SessionToken"),
                    .expires_s = parse_iso_time(xml_text(xml, "Expiration"))};
  if (found.access_key_id.empty() || found.secret_access_key.empty())
    return fail(Code::kUnavailable, "the answer has no AccessKeyId and SecretAccessKey");
  if (!found.expires_s) return fail(Code::kUnavailable, "the answer's Expiration is no time");
  return found;
}

io::Task<Result<Credentials>> assume_role(HttpClient& http, StsEndpoint sts, Role role, Credentials caller,
                                          io::Until until) {
  Question question{.what = "AssumeRole of " + role.arn + " for " + role.origin,
                    .body = form_encoded(fields_of("AssumeRole", role)),
                    .secrets = {caller.secret_access_key, caller.session_token, role.external_id}};
  question.headers = signed_headers(sts, question.body, caller);
  co_return co_await ask(http, sts.url, std::move(question), until);
}

io::Task<Result<Credentials>> assume_role_with_web_identity(HttpClient& http, StsEndpoint sts, Role role,
                                                            std::string token, io::Until until) {
  Fields fields = fields_of("AssumeRoleWithWebIdentity", role);
  fields.emplace_back("WebIdentityToken", token);
  Question question{.what = "AssumeRoleWithWebIdentity of " + role.arn + " for " + role.origin,
                    .body = form_encoded(fields),
                    .headers = {std::string("content-type: ") + kFormType},
                    .secrets = {std::move(token)}};
  co_return co_await ask(http, sts.url, std::move(question), until);
}

}  // namespace firn::object::s3
