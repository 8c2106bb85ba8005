// SsoTest: who has signed in, by files of the test's own, and a portal on this machine.
#pragma once

#include <filesystem>

#include "object/s3/test_chain.h"
#include "object/testing/scripted_server.h"

namespace firn::object::s3 {

inline constexpr const char* kKeys =
    R"({"roleCredentials":{"accessKeyId":"SSO","secretAccessKey":"s","sessionToken":"t","expiration":32472144000999}})";
// SHA-1 of "my-sso" and of "https://start".
inline constexpr const char* kOfSession = "0ad374308c5a4e22f723adf10145eafad7c4031c.json";
inline constexpr const char* kOfUrl = "6ad0e7e61d1f47e491ea32c2031add41ef92e07d.json";

class SsoTest : public ChainTest {
 protected:
  SsoTest() { std::filesystem::create_directories(environment->path(".aws/sso/cache")); }

  void sign_in(const std::string& file, const std::string& until = "2999-01-01T00:00:00Z") {
    write(".aws/sso/cache/" + file,
          R"({"startUrl":"https://start","accessToken":"SECRETTOKEN","expiresAt":")" + until + "\"}");
  }
  Environment where() {
    return {.variables = {{"HOME", std::filesystem::path(environment->path(".aws")).parent_path()},
                          {"AWS_PROFILE", "me"},
                          {"AWS_EC2_METADATA_DISABLED", "true"},
                          {"AWS_ENDPOINT_URL_SSO", portal.url()}}};
  }
  Result<Credentials> find() { return ChainTest::find(where()); }
  std::string refused() {
    const auto found = find();
    if (found) return "it is not refused";
    EXPECT_EQ(found.error(), Code::kAccessDenied) << found.error().to_string();
    EXPECT_EQ(found.error().message().find("SECRET"), std::string::npos) << found.error().message();
    return found.error().message();
  }

  const std::string session = "[sso-session my-sso]\nsso_region = eu-west-3\nsso_start_url = https://start\n";
  const std::string of_session = "[profile me]\nsso_session = my-sso\nsso_account_id = 123\nsso_role_name = A role\n";
  const std::string of_url =
      "[profile me]\nsso_start_url = https://start\nsso_region = eu-west-3\nsso_account_id = 123\nsso_role_name = R\n";
  testing::ScriptedServer portal{{testing::answer(200, kKeys)}};
};

}  // namespace firn::object::s3
