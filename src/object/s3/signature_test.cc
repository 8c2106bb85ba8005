// The examples of "Authenticating Requests: Using the Authorization Header", Amazon S3 API Reference.
#include "object/s3/signature.h"

#include <gtest/gtest.h>

#include <set>

namespace firn::object::s3 {
namespace {

constexpr int64_t kTime = 1369353600;  // 2013-05-24T00:00:00Z
constexpr const char* kNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature_of(SignedParts parts) {
  const Credentials credentials{.access_key_id = "AKIAIOSFODNN7EXAMPLE",
                                .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
  parts.headers.emplace_back("host", "examplebucket.s3.amazonaws.com");
  parts.headers.emplace_back("x-amz-content-sha256", parts.payload_sha256);
  parts.headers.emplace_back("x-amz-date", amz_date(kTime));
  SigningKey key;
  const std::string value = authorization(parts, credentials, "us-east-1", kTime, key);
  return value.substr(value.rfind('=') + 1);
}

TEST(Signature, GetObject) {
  EXPECT_EQ(
      signature_of(
          {.method = "GET", .path = "/test.txt", .headers = {{"range", "bytes=0-9"}}, .payload_sha256 = kNothing}),
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Signature, PutObject) {
  EXPECT_EQ(signature_of(
                {.method = "PUT",
                 .path = "/test%24file.text",
                 .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                 .payload_sha256 = sha256_hex(std::string_view("Welcome to Amazon S3."))}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(Signature, QueryWithoutValue) {
  EXPECT_EQ(signature_of({.method = "GET", .path = "/", .query = "lifecycle=", .payload_sha256 = kNothing}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(Signature, QueryWithValues) {
  EXPECT_EQ(signature_of({.method = "GET", .path = "/", .query = "max-keys=2&prefix=J", .payload_sha256 = kNothing}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

// "Create a signed AWS API request", IAM User Guide.
TEST(Signature, AnotherService) {
  const Credentials credentials{.access_key_id = "AKIDEXAMPLE",
                                .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
  SigningKey key("iam");
  EXPECT_EQ(authorization({.method = "GET",
                           .path = "/",
                           .query = "Action=ListUsers&Version=2010-05-08",
                           .headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"},
                                       {"host", "iam.amazonaws.com"},
                                       {"x-amz-date", "20150830T123600Z"}},
                           .payload_sha256 = kNothing},
                          credentials, "us-east-1", 1440938160, key),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request,"
            "SignedHeaders=content-type;host;x-amz-date,"
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST(Signature, DerivesItsKeyOnceForADayARegionAndASecret) {
  SigningKey key;
  const std::string first = key.of("secret", "20130524", "us-east-1");
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(key.of("secret", "20130524", "us-east-1"), first);
  EXPECT_EQ(key.derivations(), 1u);
  std::set<std::string> others = {first, key.of("secret", "20130525", "us-east-1"),
                                  key.of("secret", "20130525", "eu-west-1"), key.of("other", "20130525", "eu-west-1")};
  EXPECT_EQ(others.size(), 4u);
  EXPECT_EQ(key.derivations(), 4u);
  EXPECT_EQ(key.of("secret", "20130524", "us-east-1"), first);
}

TEST(Signature, RequestsOfOneDayShareTheirKey) {
  const Credentials credentials{.access_key_id = "k", .secret_access_key = "s"};
  const auto sign = [&](int64_t time_s, SigningKey& key) {
    const SignedParts parts{.method = "GET",
                            .path = "/",
                            .headers = {{"host", "h"}, {"x-amz-date", amz_date(time_s)}},
                            .payload_sha256 = kNothing};
    return authorization(parts, credentials, "us-east-1", time_s, key);
  };
  SigningKey kept;
  for (const int64_t time_s : {kTime, kTime + 1, kTime + 86'399, kTime + 86'400}) {
    SigningKey fresh;
    EXPECT_EQ(sign(time_s, kept), sign(time_s, fresh));
  }
  EXPECT_EQ(kept.derivations(), 2u);
}

TEST(Signature, DigestsPieces) {
  Content content("Welcome to ");
  content.append(std::string("Amazon S3."));
  EXPECT_EQ(sha256_hex(content), "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  EXPECT_EQ(sha256_hex(Content()), kNothing);
}

}  // namespace
}  // namespace firn::object::s3
