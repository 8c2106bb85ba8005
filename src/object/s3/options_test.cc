#include <gtest/gtest.h>

#include "object/s3/s3_store.h"

namespace firn::object {
namespace {

s3::Environment with(std::map<std::string, std::string> variables) {
  variables.emplace("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
  variables.emplace("AWS_CONFIG_FILE", "/nonexistent");
  return {.variables = std::move(variables)};
}

TEST(S3Options, ReadsTheUrl) {
  const auto options = s3_options("s3://my-bucket/some/prefix/", with({}));
  ASSERT_TRUE(options);
  EXPECT_EQ(options->bucket, "my-bucket");
  EXPECT_EQ(options->prefix, "some/prefix");
  EXPECT_EQ(options->region, "us-east-1");
  EXPECT_EQ(options->endpoint, "");
  EXPECT_FALSE(options->path_style);
  EXPECT_EQ(s3_options("s3://my-bucket", with({}))->prefix, "");
  EXPECT_EQ(s3_options("s3://my-bucket/", with({}))->prefix, "");
}

TEST(S3Options, RefusesWhatIsNoBucket) {
  for (const char* url : {"", "my-bucket", "s3:/my-bucket", "s3://", "s3://a", "s3://-ab", "s3://b c d", "s3:///prefix",
                          "s3://bucket/../x", "s3://bucket//x", "s3://bucket/a b", "http://bucket"}) {
    const auto options = s3_options(url, with({}));
    ASSERT_FALSE(options) << url;
    EXPECT_EQ(options.error(), Code::kInvalid);
    EXPECT_FALSE(options.error().message().empty());
  }
}

TEST(S3Options, TakesTheEnvironment) {
  const auto options = s3_options("s3://bucket/p", with({{"AWS_ENDPOINT_URL", "http://127.0.0.1:9000/"},
                                                         {"AWS_DEFAULT_REGION", "eu-central-1"},
                                                         {"AWS_CA_BUNDLE", "/ca.pem"}}));
  ASSERT_TRUE(options);
  EXPECT_EQ(options->endpoint, "http://127.0.0.1:9000");
  EXPECT_TRUE(options->path_style);
  EXPECT_TRUE(options->sign_payload);
  EXPECT_EQ(options->region, "eu-central-1");
  EXPECT_EQ(options->http.ca_file, "/ca.pem");
  EXPECT_EQ(s3_options("s3://bucket", with({{"AWS_ENDPOINT_URL", "https://a"}, {"AWS_ENDPOINT_URL_S3", "https://b"}}))
                ->endpoint,
            "https://b");
  EXPECT_FALSE(s3_options("s3://bucket", with({{"AWS_ENDPOINT_URL", "localhost:9000"}})));
  EXPECT_FALSE(s3_options("s3://bucket", with({{"AWS_ENDPOINT_URL", "http://localhost/path"}})));
}

}  // namespace
}  // namespace firn::object
