// Profiles that name roles: whom they lead to, what the token service is asked, and what is made of its answers.
#include <gtest/gtest.h>

#include "object/s3/endpoint.h"
#include "object/s3/shown_line.h"
#include "object/s3/sts.h"
#include "object/s3/test_chain.h"
#include "object/testing/scripted_server.h"

namespace firn::object::s3 {
namespace {

using testing::Answer;
using testing::answer;
using testing::ScriptedServer;

// As the token service writes it.
Answer role_keys(const std::string& key, const std::string& until = "2999-01-01T00:00:00Z") {
  return answer(200, R"(<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser><AssumedRoleId>AROA:firn</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/r/firn</Arn></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>)" + key +
                         "</AccessKeyId><SecretAccessKey>secret-of-" + key +
                         "</SecretAccessKey><SessionToken>token-of-" + key + "</SessionToken><Expiration>" + until +
                         R"(</Expiration>
    </Credentials>
  </AssumeRoleResult>
  <ResponseMetadata><RequestId>c6104cbe</RequestId></ResponseMetadata>
</AssumeRoleResponse>)");
}
Answer refusal(int status, const std::string& code, const std::string& message) {
  return answer(status, "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + message +
                            "</Message></Error><RequestId>x</RequestId></ErrorResponse>");
}

class RolesTest : public ChainTest {
 protected:
  using ChainTest::find;
  Result<Credentials> find(const std::string& profile, const ScriptedServer& sts) {
    return find(with({{"AWS_PROFILE", profile}, {"AWS_ENDPOINT_URL_STS", sts.url()}}));
  }
  // The message names the profile, the file and the key, and has no secret.
  void expect_refused(const std::string& config, const std::string& key, const std::string& why) {
    write("config", config);
    const auto refused = find(with({{"AWS_PROFILE", "role"}, {"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"}}));
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error(), Code::kAccessDenied) << refused.error().to_string();
    for (const std::string& part : {std::string("the profile "), environment->path("config"), key, why})
      EXPECT_NE(refused.error().message().find(part), std::string::npos) << refused.error().message();
    EXPECT_EQ(refused.error().message().find("SECRET"), std::string::npos) << refused.error().message();
  }
};

TEST_F(RolesTest, AreAskedForWithTheSourceProfilesKeys) {
  ScriptedServer sts({role_keys("ASIAROLE")});
  write("credentials", "[keys]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base\n");
  write("config",
        "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = keys\nrole_session_name = me@here\n"
        "external_id = a b&c\nduration_seconds = 1800\nregion = eu-central-1\n");
  const auto found = find("role", sts);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "ASIAROLE");
  EXPECT_EQ(found->secret_access_key, "secret-of-ASIAROLE");
  EXPECT_EQ(found->session_token, "token-of-ASIAROLE");
  EXPECT_EQ(found->expires_s, 32472144000);
  ASSERT_EQ(sts.requests().size(), 1u);
  const std::string request = sts.requests()[0];
  EXPECT_TRUE(request.starts_with("POST / HTTP/1.1\r\n")) << request;
  EXPECT_TRUE(
      request.ends_with("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&"
                        "RoleSessionName=me%40here&ExternalId=a%20b%26c&DurationSeconds=1800"))
      << request;
  for (const char* part :
       {"Credential=AKIDBASE/", "/eu-central-1/sts/aws4_request,SignedHeaders=content-type;host;x-amz-date,",
        "application/x-www-form-urlencoded"})
    EXPECT_NE(request.find(part), std::string::npos) << request;
  EXPECT_EQ(request.find("x-amz-security-token"), std::string::npos);
}

TEST_F(RolesTest, LeadToOneAnother) {
  ScriptedServer sts({role_keys("MIDDLE"), role_keys("LAST")});
  write("config",
        "[profile role]\nrole_arn = r2\nsource_profile = middle\n[profile middle]\nrole_arn = r1\n"
        "source_profile = keys\n[profile keys]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base\n");
  const auto found = find("role", sts);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "LAST");
  const auto requests = sts.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_NE(requests[0].find("Credential=AKIDBASE/"), std::string::npos);
  EXPECT_NE(requests[0].find("RoleArn=r1&RoleSessionName=firn"), std::string::npos);
  EXPECT_NE(requests[1].find("Credential=MIDDLE/"), std::string::npos);
  EXPECT_NE(requests[1].find("x-amz-security-token: token-of-MIDDLE\r\n"), std::string::npos);
  EXPECT_NE(requests[1].find("RoleArn=r2&"), std::string::npos);
}

TEST_F(RolesTest, ComeBeforeTheProfilesOwnKeysWhichMayAskForThem) {
  ScriptedServer sts({role_keys("ROLE"), role_keys("OTHER")});
  write("credentials", "[role]\naws_access_key_id = OWN\naws_secret_access_key = s\n");
  write(
      "config",
      "[profile role]\nrole_arn = r1\nsource_profile = role\n[profile other]\nrole_arn = r2\nsource_profile = role\n");
  const auto found = find("role", sts);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "ROLE");
  EXPECT_NE(sts.requests()[0].find("Credential=OWN/"), std::string::npos);
  // For another profile it is the keys.
  EXPECT_EQ(find("other", sts)->access_key_id, "OTHER");
  EXPECT_NE(sts.requests()[1].find("Credential=OWN/"), std::string::npos);
  const auto keys = find(with({{"AWS_PROFILE", "role"}, {"AWS_ACCESS_KEY_ID", "env"}, {"AWS_SECRET_ACCESS_KEY", "s"}}));
  EXPECT_EQ(keys->access_key_id, "env") << "the environment is first";
}

TEST_F(RolesTest, TakeWhatASourceHas) {
  const Answer metadata =
      answer(200, R"({"AccessKeyId":"META","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z"})");
  ScriptedServer sts({role_keys("A"), role_keys("B"), role_keys("C"), role_keys("D")});
  const auto asked_with = [&](const std::string& source, Environment where) {
    write("config", "[profile role]\nrole_arn = r\ncredential_source = " + source + "\n");
    where.variables.insert({{"AWS_PROFILE", "role"}, {"AWS_ENDPOINT_URL_STS", sts.url()}});
    const auto found = find(where);
    if (!found) return found.error().to_string();
    const std::string request = sts.requests().back();
    const size_t begin = request.find("Credential=") + 11;
    return request.substr(begin, request.find('/', begin) - begin);
  };
  Environment keys = with({});
  keys.overruled = {{"AWS_ACCESS_KEY_ID", "ENV"}, {"AWS_SECRET_ACCESS_KEY", "s"}};
  EXPECT_EQ(asked_with("Environment", keys), "ENV");
  ScriptedServer container({metadata});
  EXPECT_EQ(asked_with("EcsContainer", with({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", container.url()}})), "META");
  ScriptedServer instance({answer(200, "token"), answer(200, "name"), metadata});
  Environment of_instance = with({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url()}});
  of_instance.variables.erase("AWS_EC2_METADATA_DISABLED");
  EXPECT_EQ(asked_with("Ec2InstanceMetadata", of_instance), "META");
  EXPECT_NE(asked_with("Environment", with({})).find("credential_source = Environment: there are no credentials"),
            std::string::npos);
}

TEST_F(RolesTest, AreAskedForAnewWhenTheyRunOutOrAreRefused) {
  ScriptedServer sts({role_keys("OLD", "2001-01-01T00:00:00Z"), role_keys("NEW"), role_keys("NEWER")});
  write("config",
        "[default]\nrole_arn = r\nsource_profile = keys\n[keys]\naws_access_key_id = k\naws_secret_access_key = s\n");
  const auto chain = standard_chain(with({{"AWS_ENDPOINT_URL_STS", sts.url()}}), http, environment->pool());
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "OLD");
  const auto second = environment->run(chain->get({}));
  EXPECT_EQ(second->access_key_id, "NEW");
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "NEW");
  chain->refuse(*second);
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "NEWER");
}

TEST_F(RolesTest, SayWhatIsWrongInTheFiles) {
  const std::string role = "[profile role]\nrole_arn = r\n";
  const std::string keys = "[profile keys]\naws_access_key_id = SECRETID\naws_secret_access_key = SECRET\n";
  expect_refused(role, "role_arn", "needs source_profile or credential_source");
  expect_refused(role + "source_profile = keys\ncredential_source = Environment\n" + keys, "source_profile",
                 "are both set");
  expect_refused(role + "credential_source = Magic\n", "credential_source", "Magic is none of");
  expect_refused(role + "source_profile = nobody\n", "source_profile", "there is no such profile");
  expect_refused(role + "source_profile = empty\n[profile empty]\nregion = r\n", "source_profile",
                 "empty: that profile has no credentials");
  expect_refused(role + "source_profile = role\n", "source_profile", "in a circle: role -> role");
  expect_refused(role +
                     "source_profile = a\n[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\n"
                     "source_profile = a\n",
                 "the profile b", "in a circle: role -> a -> b -> a");
  expect_refused(role + "source_profile = keys\nmfa_serial = arn:aws:iam::1:mfa/me\n" + keys, "mfa_serial",
                 "nobody to ask for a code");
  for (const char* duration : {"899", "43201", "1h", "-1", "99999999999999999999"})
    expect_refused(role + "source_profile = keys\nduration_seconds = " + duration + "\n" + keys, "duration_seconds",
                   "900 to 43200");
}

TEST_F(RolesTest, AreAskedForWithATokenThatIsReadAnewEachTime) {
  ScriptedServer sts({role_keys("ONE"), role_keys("TWO")});
  write("token", "web+token/1\n");
  const auto chain = standard_chain(with({{"AWS_ENDPOINT_URL_STS", sts.url()},
                                          {"AWS_WEB_IDENTITY_TOKEN_FILE", environment->path("token")},
                                          {"AWS_ROLE_ARN", "arn:r"},
                                          {"AWS_ROLE_SESSION_NAME", "pod"}}),
                                    http, environment->pool());
  const auto one = environment->run(chain->get({}));
  ASSERT_TRUE(one) << one.error().to_string();
  EXPECT_EQ(one->access_key_id, "ONE");
  EXPECT_EQ(one->session_token, "token-of-ONE");
  write("token", "web-token-2");
  chain->refuse(*one);
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "TWO");
  const auto requests = sts.requests();
  EXPECT_TRUE(
      requests[0].ends_with("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Ar&"
                            "RoleSessionName=pod&WebIdentityToken=web%2Btoken%2F1"))
      << requests[0];
  EXPECT_EQ(requests[0].find("uthorization:"), std::string::npos) << "it is not signed";
  EXPECT_NE(requests[1].find("WebIdentityToken=web-token-2"), std::string::npos);
}

TEST_F(RolesTest, ByATokenComeAfterTheProfilesRoleAndBeforeItsKeys) {
  write("token", "t0ken");
  const Environment of_token =
      with({{"AWS_WEB_IDENTITY_TOKEN_FILE", environment->path("token")}, {"AWS_ROLE_ARN", "arn:env"}});
  const auto asked = [&](const std::string& config, const Environment& where) {
    ScriptedServer sts({role_keys("ONE"), role_keys("TWO")});
    write("config", config);
    Environment whole = where;
    whole.variables["AWS_ENDPOINT_URL_STS"] = sts.url();
    const auto found = find(whole);
    if (!found) return found.error().to_string();
    std::string actions;
    for (const std::string& request : sts.requests()) {
      const size_t action = request.find("Action=");
      const size_t role = request.find("RoleArn=");
      actions += request.substr(action, request.find('&', action) - action) + " " +
                 request.substr(role, request.find('&', role) - role) + ";";
    }
    return actions;
  };
  const std::string keys = "[keys]\naws_access_key_id = k\naws_secret_access_key = s\n";
  const std::string file = "web_identity_token_file = " + environment->path("token") + "\n";
  write("credentials", "[default]\naws_access_key_id = k\naws_secret_access_key = s\n");
  EXPECT_EQ(asked("", of_token), "Action=AssumeRoleWithWebIdentity RoleArn=arn%3Aenv;");
  EXPECT_EQ(asked("[default]\nrole_arn = own\nsource_profile = keys\n" + keys, of_token),
            "Action=AssumeRole RoleArn=own;");
  EXPECT_EQ(asked("[default]\nrole_arn = own\n" + file, with({})), "Action=AssumeRoleWithWebIdentity RoleArn=own;");
  EXPECT_EQ(asked("[default]\nrole_arn = own\n" + file, of_token),
            "Action=AssumeRoleWithWebIdentity RoleArn=arn%3Aenv;");
  // Who leads there has it from the profile alone.
  const std::string led = "[default]\nrole_arn = last\nsource_profile = pod\n[profile pod]\nrole_arn = first\n" + file;
  EXPECT_EQ(asked(led, of_token), "Action=AssumeRoleWithWebIdentity RoleArn=first;Action=AssumeRole RoleArn=last;");
}

TEST_F(RolesTest, ByATokenSayWhatIsWrong) {
  const auto said = [&](std::map<std::string, std::string> variables) {
    const auto refused = find(with(std::move(variables)));
    EXPECT_EQ(refused.error(), Code::kAccessDenied);
    return refused.error().message();
  };
  const std::string token = environment->path("token");
  EXPECT_NE(said({{"AWS_WEB_IDENTITY_TOKEN_FILE", token}}).find("AWS_ROLE_ARN is not"), std::string::npos);
  EXPECT_NE(said({{"AWS_WEB_IDENTITY_TOKEN_FILE", token}, {"AWS_ROLE_ARN", "r"}}).find(token + ": No such file"),
            std::string::npos);
  write("token", "\n");
  expect_refused("[profile role]\nrole_arn = r\nweb_identity_token_file = " + token + "\n", "web_identity_token_file",
                 token + " is empty");
  expect_refused("[profile role]\nweb_identity_token_file = " + token + "\n", "web_identity_token_file",
                 "needs role_arn");
  write("token", "SECRETTOKEN");
  ScriptedServer sts({refusal(400, "InvalidIdentityToken", "bad: SECRETTOKEN"),
                      refusal(400, "IDPCommunicationError", "it does not answer")});
  write("config", "[profile role]\nrole_arn = r\nweb_identity_token_file = " + token + "\n");
  const auto bad = find("role", sts);
  EXPECT_EQ(bad.error(), Code::kAccessDenied);
  EXPECT_NE(bad.error().message().find("AssumeRoleWithWebIdentity of r for the profile role"), std::string::npos);
  EXPECT_NE(bad.error().message().find("InvalidIdentityToken: bad: (removed)"), std::string::npos);
  EXPECT_EQ(find("role", sts).error(), Code::kUnavailable);
}

TEST_F(RolesTest, SayWhatTheServiceSaysButNoSecrets) {
  write("config",
        "[profile role]\nrole_arn = arn:r\nsource_profile = keys\n[profile keys]\naws_access_key_id = k\n"
        "aws_secret_access_key = SECRETKEY\naws_session_token = SECRETTOKEN\n");
  ScriptedServer sts(
      {refusal(403, "AccessDenied", "not authorized to perform: sts:AssumeRole"),
       refusal(403, "SignatureDoesNotMatch",
               "SECRETTOKEN is odd.\n\nThe Canonical String should have been\nx-amz-security-token:SECRETTOKEN"),
       refusal(400, "Throttling", "Rate exceeded"), refusal(500, "InternalFailure", "oh"),
       answer(200, "<a>SECRETANSWER</a>"), answer(200, "<AccessKeyId>SECRET</AccessKeyId>"),
       role_keys("SECRET", "tomorrow")});
  const std::vector<std::pair<Code, std::string>> expected = {
      {Code::kAccessDenied, "AccessDenied: not authorized to perform"},
      {Code::kAccessDenied, "SignatureDoesNotMatch: (removed) is odd."},
      {Code::kUnavailable, "Throttling"},
      {Code::kUnavailable, "HTTP status 500"},
      {Code::kUnavailable, "has no AccessKeyId"},
      {Code::kUnavailable, "has no AccessKeyId"},
      {Code::kUnavailable, "Expiration is no time"}};
  for (const auto& [code, why] : expected) {
    const auto refused = find("role", sts);
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error(), code) << refused.error().to_string();
    for (const std::string& part : {why, std::string("AssumeRole of arn:r for the profile role"), sts.url()})
      EXPECT_NE(refused.error().message().find(part), std::string::npos) << refused.error().message();
    EXPECT_EQ(refused.error().message().find("SECRET"), std::string::npos) << refused.error().message();
  }
  const auto nobody = find(with({{"AWS_PROFILE", "role"}, {"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"}}));
  EXPECT_EQ(nobody.error(), Code::kUnavailable);
  const auto wrong = find(with({{"AWS_PROFILE", "role"}, {"AWS_ENDPOINT_URL_STS", "localhost"}}));
  EXPECT_NE(wrong.error().message().find("the STS endpoint localhost"), std::string::npos);
}

TEST_F(RolesTest, EndpointsComeFromWhereTheAwsToolsHaveThem) {
  write("config",
        "[default]\nregion = eu-west-1\n[profile all]\nendpoint_url = https://all\n[profile each]\n"
        "endpoint_url = https://all\nservices = mine\n[services mine]\nsts =\n  endpoint_url = https://sts/\n"
        "s3 =\n  endpoint_url = https://s3\n");
  const auto url = [&](std::map<std::string, std::string> variables) {
    return sts_endpoint(with(std::move(variables)))->url;
  };
  EXPECT_EQ(url({}), "https://sts.eu-west-1.amazonaws.com");
  EXPECT_EQ(url({{"AWS_REGION", "cn-north-1"}}), "https://sts.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(url({{"AWS_PROFILE", "all"}}), "https://all");
  EXPECT_EQ(url({{"AWS_PROFILE", "each"}}), "https://sts");
  EXPECT_EQ(configured_endpoint("s3", with({{"AWS_PROFILE", "each"}})), "https://s3");
  EXPECT_EQ(url({{"AWS_PROFILE", "each"}, {"AWS_ENDPOINT_URL", "https://env"}}), "https://env");
  EXPECT_EQ(url({{"AWS_ENDPOINT_URL_STS", "https://own"}, {"AWS_ENDPOINT_URL", "https://env"}}), "https://own");
  EXPECT_EQ(url({{"AWS_ENDPOINT_URL_S3", "https://s3"}}), "https://sts.eu-west-1.amazonaws.com");
}

TEST(ShownLine, IsOneLineWithoutSecrets) {
  EXPECT_EQ(shown_line("\n  first\tline \r\nsecond"), "first line ");
  EXPECT_EQ(shown_line("a key-1 b key-1", {"key-1", "", "b"}), "a (removed) b (removed)");
  EXPECT_EQ(shown_line(std::string(1000, 'x')).size(), 200u);
  EXPECT_EQ(shown_line(""), "");
}

}  // namespace
}  // namespace firn::object::s3
