#include "cli/redact.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace firn::cli {
namespace {

TEST(Redact, TakesSecretsOut) {
  for (const char* line :
       {"secret_key = \"PLANTED\"", "AWS_SECRET_ACCESS_KEY=PLANTED", "passphrase: PLANTED", "{\"token\": \"PLANTED\"}",
        "https://user:PLANTED@host/path", "https://host/?X-Amz-Signature=PLANTED&x=1", "Authorization: Bearer PLANTED",
        "s3://bucket?secret=PLANTED", "password='PLANTED with blanks'"})
    EXPECT_EQ(without_secrets(line).find("PLANTED"), std::string::npos) << without_secrets(line);
  EXPECT_EQ(without_secrets("key AKIAIOSFODNN7EXAMPLE is"), "key (removed) is");
  EXPECT_EQ(without_secrets("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "(removed)");
  EXPECT_EQ(without_secrets("firn_0123456789abcdef0123456789abcdef"), "(removed)");
}

TEST(Redact, TakesTheEnvironmentsOwnSecretsOut) {
  for (const char* variable : {"FIRN_PASSPHRASE", "FIRN_NEW_PASSPHRASE", "FIRN_TOKEN"}) {
    setenv(variable, "open sesame", 1);
    EXPECT_EQ(without_secrets("it said open sesame twice\nopen sesame\n"), "it said (removed) twice\n(removed)\n")
        << variable;
    unsetenv(variable);
  }
}

TEST(Redact, KeepsTheRest) {
  for (const char* line : {"http.listen = [\"127.0.0.1:7734\"]", "endpoint = \"https://host:9000/\"",
                           "tier nas: blobs/0a/0123456789abcdef0123456789abcdef was damaged", "chunk = \"4MiB\"", ""})
    EXPECT_EQ(without_secrets(line), line);
}

TEST(Redact, TakesPathsOutWithWhatFollows) {
  EXPECT_EQ(without_paths("nfs: a mounts /My Folder/x\nok\n", "/vol"), "nfs: a mounts (path removed)\nok\n");
  EXPECT_EQ(without_paths("opening /vol as process 3; \"/x\"", "/vol"), "opening /vol as process 3; \"(path removed)");
  EXPECT_EQ(without_paths("at https://host/x, 3/4", "/vol"), "at https://host/x, 3/4");
}

}  // namespace
}  // namespace firn::cli
