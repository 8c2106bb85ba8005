#include "http/token_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "http/api.h"
#include "http/json.h"

namespace firn::http {
namespace {

using nlohmann::json;

constexpr int64_t kLastExpiryS = 253'402'300'799;  // the last second of the year 9999: what follows no date has

json json_of(const Token& token, int64_t now_s) {
  json body = {{"id", token.id},
               {"name", token.name},
               {"path", token.scope.empty() ? "/" : token.scope},
               {"right", name_of(token.right)},
               {"uid", token.uid},
               {"gid", token.gid},
               {"groups", token.groups},
               {"created", token.created_s},
               {"expires", nullptr},
               {"expired", token.expired(now_s)}};
  if (token.expires_s != 0) body["expires"] = token.expires_s;
  return body;
}

Result<uint32_t> id_parameter(const Request& request, std::string_view name, uint32_t fallback) {
  const uint64_t value = TRY(number_parameter(request, name, fallback));
  if (value >= UINT32_MAX) return fail(Code::kInvalid, fmt::format("\"{}\" is not an id", name));
  return static_cast<uint32_t>(value);
}

Result<std::vector<uint32_t>> groups_of(const Request& request) {
  std::vector<uint32_t> groups;
  std::string_view text = request.parameter("groups").value_or("");
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    const Request one{.query = {{"groups", std::string(text.substr(0, end))}}};
    groups.push_back(TRY(id_parameter(one, "groups", 0)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (groups.size() > kMaxGroups) return fail(Code::kInvalid, fmt::format("at most {} groups", kMaxGroups));
  return groups;
}

// "/a//b/" as "/a/b", "/" as "".
Result<std::string> scope_of(const Request& request) {
  std::string_view path = request.parameter("path").value_or("/");
  if (!path.starts_with('/')) return fail(Code::kInvalid, "\"path\" must be absolute, a folder of the volume");
  std::string scope;
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (name == "." || name == "..") return fail(Code::kInvalid, "\"path\" must not contain . or ..");
    if (!name.empty()) scope.append("/").append(name);
    path.remove_prefix(end);
  }
  return scope;
}

Result<Token> token_of(const TokenQuestion& question) {
  const Request& request = question.request;
  Token token{.name = std::string(request.parameter("name").value_or("")), .created_s = question.now_s};
  if (token.name.size() > kMaxTokenNameBytes || std::ranges::any_of(token.name, [](unsigned char c) { return c < 32; }))
    return fail(Code::kInvalid, fmt::format("a name has at most {} bytes, and no line breaks", kMaxTokenNameBytes));
  token.scope = TRY(scope_of(request));
  const std::optional<Right> right = right_named(request.parameter("right").value_or("read"));
  if (!right) return fail(Code::kInvalid, "\"right\" must be read, write or admin");
  token.right = *right;
  if (token.right == Right::kAdmin && !token.scope.empty())
    return fail(Code::kInvalid, "a token for administration is for the whole volume: it has no path");
  token.uid = TRY(id_parameter(request, "uid", question.default_uid));
  // Whoever names a user does not mean that the daemon's group comes with them.
  if (request.parameter("uid") && !request.parameter("gid"))
    return fail(Code::kInvalid, "\"uid\" needs a \"gid\" beside it");
  token.gid = TRY(id_parameter(request, "gid", question.default_gid));
  token.groups = TRY(groups_of(request));
  const uint64_t expires = TRY(number_parameter(request, "expires", 0));
  if (expires > INT64_MAX || (expires != 0 && static_cast<int64_t>(expires) <= question.now_s))
    return fail(Code::kInvalid, "\"expires\" must be in the future");
  if (static_cast<int64_t>(expires) > kLastExpiryS)
    return fail(Code::kInvalid, "\"expires\" must be before the year 10000; without it a token never expires");
  token.expires_s = static_cast<int64_t>(expires);
  return token;
}

Result<TokenAnswer> create(const TokenQuestion& question) {
  Token token = TRY(token_of(question));
  if (question.tokens.size() >= kMaxTokens)
    return fail(Code::kNoSpace, fmt::format("there are {} tokens; revoke some", kMaxTokens));
  const std::string secret = make_token_secret(question.random);
  token.hash = hash_of_secret(secret);
  do {
    token.id = fmt::format("{:08x}", static_cast<uint32_t>(question.random.next()));
  } while (std::ranges::find(question.tokens, token.id, &Token::id) != question.tokens.end());
  json body = json_of(token, question.now_s);
  body["secret"] = secret;
  TokenAnswer answer{.response = {201, "application/json", dump_json(body), {{"Cache-Control", "no-store"}}},
                     .changed = question.tokens};
  answer.changed->push_back(std::move(token));
  return answer;
}

Result<TokenAnswer> revoke(const TokenQuestion& question, std::string_view id) {
  TokenAnswer answer{.response = {204, "", "", {}}, .changed = question.tokens};
  if (std::erase_if(*answer.changed, [&](const Token& token) { return token.id == id; }) == 0)
    return fail(Code::kNotFound, fmt::format("there is no token {}", id));
  return answer;
}

}  // namespace

Result<TokenAnswer> answer_about_tokens(const TokenQuestion& question) {
  const std::string_view method = question.request.method;
  std::string_view rest = std::string_view(question.request.path).substr(kTokensPath.size());
  if (rest.empty() && (method == "GET" || method == "HEAD")) {
    json list = json::array();
    for (const Token& token : question.tokens) list.push_back(json_of(token, question.now_s));
    return TokenAnswer{.response = {200, "application/json", dump_json({{"tokens", std::move(list)}}), {}}};
  }
  if (rest.empty() && method == "POST") return create(question);
  if (rest.starts_with('/') && method == "DELETE") return revoke(question, rest.substr(1));
  return TokenAnswer{.response = problem(405, fmt::format("{} is not for {}", method, question.request.path))};
}

}  // namespace firn::http
