// Renewing the token of a sign-in: when, what is asked, and what is in the file then.
#include "object/s3/sso_token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/time.h"
#include "object/s3/iso_time.h"
#include "object/s3/small_file.h"
#include "object/s3/test_sso.h"

namespace firn::object::s3 {
namespace {

using nlohmann::json;
using testing::answer;
using testing::ScriptedServer;

constexpr const char* kRenewed =
    R"({"accessToken":"NEWSECRET","tokenType":"Bearer","expiresIn":3600,"refreshToken":"NEXTSECRET"})";

int64_t now_s() { return system_clock().now().seconds; }

class SsoTokenTest : public SsoTest {
 protected:
  SsoTokenTest() { write(".aws/config", of_session + session); }

  json signed_in(int64_t lasts_s) {
    return {{"startUrl", "https://start"},
            {"region", "eu-west-3"},
            {"accessToken", "OLDSECRET"},
            {"expiresAt", iso_time(now_s() + lasts_s)},
            {"clientId", "CLIENT"},
            {"clientSecret", "CLIENTSECRET"},
            {"refreshToken", "REFRESHSECRET"},
            {"registrationExpiresAt", "2999-01-01T00:00:00Z"}};
  }
  void write_token(const json& token) { write(token_file, token.dump()); }
  json token() { return json::parse(read_small_file(environment->path(token_file)).value()); }
  Result<Credentials> find(const ScriptedServer& oidc) {
    Environment there = where();
    there.variables["AWS_ENDPOINT_URL_SSO_OIDC"] = oidc.url();
    return ChainTest::find(there);
  }
  // With which the portal was asked.
  std::string bearer() {
    const std::vector<std::string> requests = portal.requests();
    if (requests.empty()) return "";
    const std::string name = "x-amz-sso_bearer_token: ";
    const size_t at = requests.back().find(name) + name.size();
    return requests.back().substr(at, requests.back().find('\r', at) - at);
  }

  const std::string token_file = std::string(".aws/sso/cache/") + kOfSession;
};

TEST_F(SsoTokenTest, RenewsWhatIsAboutToExpire) {
  const json before = signed_in(200);
  write_token(before);
  ASSERT_EQ(::chmod(environment->path(token_file).c_str(), 0644), 0);
  ScriptedServer oidc({answer(200, kRenewed)});
  const auto found = find(oidc);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "SSO");
  EXPECT_EQ(bearer(), "NEWSECRET");
  ASSERT_EQ(oidc.requests().size(), 1u);
  const std::string request = oidc.requests()[0];
  EXPECT_TRUE(request.starts_with("POST /token HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("content-type: application/json\r\n"), std::string::npos) << request;
  EXPECT_EQ(json::parse(request.substr(request.find("\r\n\r\n") + 4)), (json{{"clientId", "CLIENT"},
                                                                             {"clientSecret", "CLIENTSECRET"},
                                                                             {"grantType", "refresh_token"},
                                                                             {"refreshToken", "REFRESHSECRET"}}));
  json after = token();
  EXPECT_NEAR(static_cast<double>(parse_iso_time(after["expiresAt"]).value_or(0)), static_cast<double>(now_s() + 3600),
              60);
  after["expiresAt"] = before["expiresAt"];
  json expected = before;
  expected["accessToken"] = "NEWSECRET";
  expected["refreshToken"] = "NEXTSECRET";
  EXPECT_EQ(after, expected);
  struct stat stat{};
  ASSERT_EQ(::stat(environment->path(token_file).c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 07777, 0600u);
  size_t files = 0;
  for (const auto& one : std::filesystem::directory_iterator(environment->path(".aws/sso/cache")))
    files += !one.path().empty();
  EXPECT_EQ(files, 1u) << "something is left beside it";
}

TEST_F(SsoTokenTest, RenewsWhatHasExpired) {
  write_token(signed_in(-1000));
  ScriptedServer oidc({answer(200, R"({"accessToken":"NEWSECRET","expiresIn":3600})")});
  EXPECT_TRUE(find(oidc));
  EXPECT_EQ(bearer(), "NEWSECRET");
  EXPECT_EQ(token()["refreshToken"], "REFRESHSECRET") << "no other was given";
}

TEST_F(SsoTokenTest, LeavesWhatHoldsForAWhile) {
  const json before = signed_in(600);
  write_token(before);
  ScriptedServer oidc({});
  EXPECT_TRUE(find(oidc));
  EXPECT_EQ(bearer(), "OLDSECRET");
  EXPECT_EQ(oidc.requests().size(), 0u);
  EXPECT_EQ(token(), before);
}

TEST_F(SsoTokenTest, RenewsNothingWithoutARegistration) {
  ScriptedServer oidc({});
  for (const char* key : {"clientId", "clientSecret", "refreshToken", "registrationExpiresAt"}) {
    json lacking = signed_in(-1);
    lacking.erase(key);
    write_token(lacking);
    const auto found = find(oidc);
    EXPECT_EQ(found.error(), Code::kAccessDenied);
    for (const char* part : {"has expired, at", "aws sso login --profile me"})
      EXPECT_NE(found.error().message().find(part), std::string::npos) << found.error().message();
  }
  json over = signed_in(-1);
  over["registrationExpiresAt"] = iso_time(now_s() - 1);
  write_token(over);
  EXPECT_FALSE(find(oidc));
  over["expiresAt"] = iso_time(now_s() + 100);
  write_token(over);
  EXPECT_TRUE(find(oidc));
  EXPECT_EQ(bearer(), "OLDSECRET");
  EXPECT_EQ(oidc.requests().size(), 0u);
}

TEST_F(SsoTokenTest, WhatHoldsIsUsedThoughItCannotBeRenewed) {
  const json before = signed_in(200);
  write_token(before);
  ScriptedServer oidc({answer(400, R"({"error":"invalid_grant"})")});
  const auto found = find(oidc);
  EXPECT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(bearer(), "OLDSECRET");
  EXPECT_EQ(token(), before);
}

TEST_F(SsoTokenTest, SaysWhyItIsNotRenewed) {
  const json before = signed_in(-100);
  write_token(before);
  const std::string repeats = "REFRESHSECRET and CLIENTSECRET of CLIENT, not OLDSECRET";
  ScriptedServer oidc({answer(400, R"({"error":"invalid_grant","error_description":"no: )" + repeats + "\"}"),
                       answer(401, repeats), answer(500, repeats), answer(429, ""),
                       answer(400, R"({"error":"slow_down"})"), answer(200, R"({"accessToken":"A SECRET"})"),
                       answer(200, R"({"accessToken":"SECRET","expiresIn":"soon"})"),
                       answer(200, R"({"accessToken":"SECRET","expiresIn":-1})")});
  const std::vector<std::pair<Code, std::string>> expected = {
      {Code::kAccessDenied,
       "HTTP status 400: invalid_grant: no: (removed) and (removed) of (removed), not (removed); run: aws sso"},
      {Code::kAccessDenied, "HTTP status 401; run: aws sso login --profile me"},
      {Code::kUnavailable, "HTTP status 500"},
      {Code::kUnavailable, "HTTP status 429"},
      {Code::kUnavailable, "HTTP status 400: slow_down"},
      {Code::kUnavailable, "has no accessToken"},
      {Code::kUnavailable, "expiresIn is no number"},
      {Code::kUnavailable, "expiresIn is not a time"}};
  for (const auto& [code, why] : expected) {
    const auto found = find(oidc);
    ASSERT_FALSE(found) << why;
    EXPECT_EQ(found.error(), code) << why;
    EXPECT_NE(found.error().message().find(why), std::string::npos) << found.error().message();
    EXPECT_EQ(found.error().message().find("SECRET"), std::string::npos) << found.error().message();
  }
  EXPECT_EQ(token(), before);
  EXPECT_EQ(portal.requests().size(), 0u);
}

// It signs in, or renews, while the service is asked for us: the answer is a refusal then.
TEST_F(SsoTokenTest, TakesWhatAnotherProgramHasRenewed) {
  write_token(signed_in(-100));
  auto oidc = std::make_unique<ScriptedServer>(std::vector<testing::Answer>{{.bytes = "", .hang = true}});
  Environment there = where();
  there.variables["AWS_ENDPOINT_URL_SSO_OIDC"] = oidc->url();
  json theirs = signed_in(3600);
  theirs["accessToken"] = "THEIRS";
  std::thread other([&] {
    for (int i = 0; i < 2000 && oidc->requests().empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    write_token(theirs);
    oidc.reset();
  });
  const auto found = ChainTest::find(there);
  other.join();
  EXPECT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(bearer(), "THEIRS");
  EXPECT_EQ(token(), theirs);
}

TEST_F(SsoTokenTest, ReplacesOnlyWhatItHasRead) {
  const std::string file = environment->path("file"), link = environment->path("link");
  write("file", "one");
  std::filesystem::create_symlink(file, link);
  EXPECT_TRUE(replace_small_file(link, "one", "two").ok());
  EXPECT_EQ(read_small_file(file).value(), "two");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_TRUE(replace_small_file(link, "one", "three").ok());
  EXPECT_EQ(read_small_file(file).value(), "two") << "somebody else's is written over";
  EXPECT_FALSE(replace_small_file(environment->path("none"), "one", "two").ok());
}

}  // namespace
}  // namespace firn::object::s3
