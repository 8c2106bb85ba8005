// Single sign-on: what the files say, what the portal is asked, and what is made of its answers.
#include "object/s3/sso.h"

#include <gtest/gtest.h>

#include "object/s3/test_sso.h"

namespace firn::object::s3 {
namespace {

using testing::answer;
using testing::ScriptedServer;

TEST_F(SsoTest, AsksThePortalWithTheTokenOfTheSession) {
  write(".aws/config", of_session + session);
  sign_in(kOfSession);
  const auto found = find();
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "SSO");
  EXPECT_EQ(found->session_token, "t");
  EXPECT_EQ(found->expires_s, 32472144000);
  const std::string request = portal.requests()[0];
  EXPECT_TRUE(request.starts_with("GET /federation/credentials?role_name=A%20role&account_id=123 HTTP/1.1\r\n"))
      << request;
  EXPECT_NE(request.find("x-amz-sso_bearer_token: SECRETTOKEN\r\n"), std::string::npos) << request;
}

TEST_F(SsoTest, KnowsProfilesWithoutASession) {
  write(".aws/config", of_url);
  sign_in(kOfUrl, "2999-01-01T00:00:00UTC");
  const auto found = find();
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "SSO");
}

TEST_F(SsoTest, ComesBeforeKeysAndAfterRoles) {
  write(".aws/credentials", "[me]\naws_access_key_id = k\naws_secret_access_key = s\n");
  write(".aws/config", of_url);
  sign_in(kOfUrl);
  EXPECT_EQ(find()->access_key_id, "SSO");
  write(".aws/config", of_url + "role_arn = r\nsource_profile = nobody\n");
  EXPECT_NE(refused().find("source_profile = nobody"), std::string::npos);
}

TEST_F(SsoTest, SaysHowToSignIn) {
  write(".aws/config", of_session + session);
  const std::string how = "aws sso login --profile me";
  for (const std::string& part : {how, std::string(kOfSession) + ": No such file"})
    EXPECT_NE(refused().find(part), std::string::npos) << refused();
  sign_in(kOfSession, "2001-01-01T00:00:00Z");
  for (const std::string& part : {how, std::string("expired, at 2001-01-01T00:00:00Z"), std::string(kOfSession)})
    EXPECT_NE(refused().find(part), std::string::npos) << refused();
  for (const char* wrong : {"", "[]", "SECRET", R"({"accessToken":7,"expiresAt":"2999-01-01T00:00:00Z"})",
                            R"({"accessToken":"SECRET\r\nx: y","expiresAt":"2999-01-01T00:00:00Z"})",
                            R"({"accessToken":"SECRET","expiresAt":"soon"})"}) {
    write(std::string(".aws/sso/cache/") + kOfSession, wrong);
    EXPECT_NE(refused().find(how), std::string::npos) << refused();
  }
  EXPECT_EQ(portal.requests().size(), 0u);
}

TEST_F(SsoTest, SaysWhatIsWrongInTheFiles) {
  const auto expect = [&](const std::string& config, const std::string& what) {
    write(".aws/config", config);
    const std::string said = refused();
    for (const std::string& part : {std::string("the profile me"), environment->path(".aws/config"), what})
      EXPECT_NE(said.find(part), std::string::npos) << said;
  };
  expect(of_session, "sso_session = my-sso: there is no [sso-session my-sso]");
  expect(of_session + "[sso-session my-sso]\nsso_region = r\n", "has no sso_start_url");
  expect(of_session + "sso_region = elsewhere\n" + session, "sso_region is another than that of [sso-session my-sso]");
  expect("[profile me]\nsso_session = my-sso\nsso_account_id = 1\n" + session, "sso_role_name is missing");
  expect("[profile me]\nsso_role_name = r\n", "sso_account_id is missing");
}

TEST_F(SsoTest, SaysWhatThePortalSays) {
  write(".aws/config", of_url);
  sign_in(kOfUrl);
  ScriptedServer other({answer(401, R"({"message":"Session token not found or invalid: SECRETTOKEN"})"),
                        answer(403, R"({"message":"No access"})"), answer(429, ""), answer(500, "<html>"),
                        answer(200, R"({"roleCredentials":{"accessKeyId":"SECRET"}})"), answer(200, "SECRET"),
                        answer(200, R"({"roleCredentials":{"accessKeyId":"SECRET","secretAccessKey":"SECRET"}})")});
  Environment there = where();
  there.variables["AWS_ENDPOINT_URL_SSO"] = other.url();
  const std::vector<std::pair<Code, std::string>> expected = {
      {Code::kAccessDenied, "not found or invalid: (removed); the sign-in has ended: run: aws sso login --profile me"},
      {Code::kAccessDenied, "HTTP status 403: No access"},
      {Code::kUnavailable, "HTTP status 429"},
      {Code::kUnavailable, "HTTP status 500"},
      {Code::kUnavailable, "has no accessKeyId and secretAccessKey"},
      {Code::kUnavailable, "has no accessKeyId and secretAccessKey"},
      {Code::kUnavailable, "expiration is no number"}};
  for (const auto& [code, why] : expected) {
    const auto found = environment->run(standard_chain(there, http, environment->pool())->get({}));
    ASSERT_FALSE(found) << why;
    EXPECT_EQ(found.error(), code);
    EXPECT_NE(found.error().message().find(why), std::string::npos) << found.error().message();
    EXPECT_EQ(found.error().message().find("SECRET"), std::string::npos) << found.error().message();
  }
}

}  // namespace
}  // namespace firn::object::s3
