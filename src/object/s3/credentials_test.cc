#include "object/s3/credentials.h"

#include <gtest/gtest.h>

#include "object/s3/profile.h"
#include "object/s3/test_chain.h"
#include "object/testing/scripted_server.h"

namespace firn::object::s3 {
namespace {

using testing::Answer;
using testing::answer;
using testing::ScriptedServer;

class CredentialsTest : public ChainTest {};

TEST_F(CredentialsTest, TheEnvironmentComesFirst) {
  write("credentials", "[default]\naws_access_key_id = file\naws_secret_access_key = s\n");
  const auto found =
      find(with({{"AWS_ACCESS_KEY_ID", "env"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_SESSION_TOKEN", "t"}}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->access_key_id, "env");
  EXPECT_EQ(found->session_token, "t");
}

TEST_F(CredentialsTest, ReadsProfiles) {
  write("credentials",
        "# a comment\n[default]\naws_access_key_id=one\naws_secret_access_key = with=equals\n\n[work]\r\n"
        "aws_access_key_id = two\r\naws_secret_access_key = s2\r\naws_session_token = t2\r\n");
  write("config",
        "[profile other]\naws_access_key_id = three\naws_secret_access_key = s3\ns3 =\n  region = no\nregion = here # "
        "yes\n");
  EXPECT_EQ(find(with({}))->access_key_id, "one");
  EXPECT_EQ(find(with({}))->secret_access_key, "with=equals");
  EXPECT_EQ(find(with({{"AWS_PROFILE", "work"}}))->session_token, "t2");
  EXPECT_EQ(find(with({{"AWS_PROFILE", "other"}}))->secret_access_key, "s3");
  EXPECT_EQ(SharedFiles(with({})).profile("other").get("region"), "here");
  const auto missing = find(with({{"AWS_PROFILE", "nobody"}}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), Code::kAccessDenied);
  EXPECT_NE(missing.error().message().find("nobody"), std::string::npos);
}

TEST_F(CredentialsTest, SaysThatThereAreNone) {
  const auto none = find(with({}));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), Code::kAccessDenied);
  EXPECT_NE(none.error().message().find("AWS_ACCESS_KEY_ID"), std::string::npos);
}

TEST_F(CredentialsTest, AsksTheContainer) {
  ScriptedServer server(
      {answer(200, R"({"AccessKeyId":"c","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z"})"),
       answer(200, "not json"), answer(500, "")});
  const auto where = with({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url() + "/creds"},
                           {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret-token"}});
  const auto found = find(where);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "c");
  EXPECT_EQ(found->session_token, "t");
  EXPECT_EQ(found->expires_s, 32472144000);
  EXPECT_NE(server.requests()[0].find("Authorization: secret-token"), std::string::npos);
  EXPECT_EQ(find(where).error(), Code::kUnavailable);
  EXPECT_EQ(find(where).error(), Code::kUnavailable);
}

TEST_F(CredentialsTest, AsksTheInstance) {
  ScriptedServer server(
      {answer(200, "metadata-token"), answer(200, "my-role\n"),
       answer(200, R"({"AccessKeyId":"i","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z"})")});
  const auto found =
      find(with({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url() + "/"}, {"AWS_EC2_METADATA_DISABLED", "false"}}));
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "i");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_TRUE(requests[0].starts_with("PUT /latest/api/token "));
  EXPECT_TRUE(requests[2].starts_with("GET /latest/meta-data/iam/security-credentials/my-role "));
  EXPECT_NE(requests[2].find("X-aws-ec2-metadata-token: metadata-token"), std::string::npos);
}

TEST_F(CredentialsTest, RenewsWhatExpiresOrIsRefused) {
  const auto body = [](const char* key, const char* until) {
    return std::string(R"({"AccessKeyId":")") + key + R"(","SecretAccessKey":"s","Token":"t","Expiration":")" + until +
           "\"}";
  };
  ScriptedServer server({answer(200, body("old", "2001-01-01T00:00:00Z")),
                         answer(200, body("new", "2999-01-01T00:00:00Z")),
                         answer(200, body("newer", "2999-01-01T00:00:00Z"))});
  const auto chain =
      standard_chain(with({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url()}}), http, environment->pool());
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "old");
  const auto second = environment->run(chain->get({}));
  EXPECT_EQ(second->access_key_id, "new");
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "new");
  chain->refuse(*second);
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "newer");
  chain->refuse(*second);  // late: those are no longer in use
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "newer");
}

// Fails now and then. What it says holds for `lasts_s`.
class CountingSource final : public CredentialSource {
 public:
  explicit CountingSource(int64_t lasts_s) : lasts_s_(lasts_s) {}
  io::Task<Result<std::optional<Credentials>>> fetch(io::Until) override {
    ++asked;
    if (fails) co_return fail(Code::kAccessDenied, "it fails");
    co_return Credentials{.access_key_id = "k" + std::to_string(asked),
                          .secret_access_key = "s",
                          .expires_s = system_clock().now().seconds + lasts_s_};
  }

  int asked = 0;
  bool fails = false;

 private:
  const int64_t lasts_s_;
};

struct ShortLived {
  explicit ShortLived(int64_t lasts_s) {
    std::vector<std::unique_ptr<CredentialSource>> sources;
    sources.push_back(std::make_unique<CountingSource>(lasts_s));
    source = static_cast<CountingSource*>(sources.front().get());
    chain = std::make_unique<CredentialChain>(std::move(sources));
  }
  std::string key() {
    const auto found = environment->run(chain->get({}));
    return found ? found->access_key_id : found.error().message();
  }
  void wait_s(int64_t seconds) { environment->run(wait(seconds)); }
  static io::Task<void> wait(int64_t seconds) { co_await io::sleep_for(seconds * 1'000'000'000, nullptr); }

  std::unique_ptr<io::TestEnvironment> environment = io::make_sim_environment();
  CountingSource* source;
  std::unique_ptr<CredentialChain> chain;
};

TEST(CredentialChain, AsksNowAndThenForWhatExpiresSoon) {
  ShortLived of(120);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(of.key(), "k1");
  of.wait_s(31);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(of.key(), "k2");
  of.source->fails = true;
  of.wait_s(31);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(of.key(), "k2") << "it is valid still";
  EXPECT_EQ(of.source->asked, 3);
  of.chain->refuse(*of.environment->run(of.chain->get({})));
  EXPECT_EQ(of.key(), "it fails");
  of.source->fails = false;
  EXPECT_EQ(of.key(), "k5");
}

TEST(CredentialChain, AsksEachTimeForWhatHasExpired) {
  ShortLived of(0);
  EXPECT_EQ(of.key(), "k1");
  EXPECT_EQ(of.key(), "k2");
  of.source->fails = true;
  EXPECT_EQ(of.key(), "it fails");
}

}  // namespace
}  // namespace firn::object::s3
