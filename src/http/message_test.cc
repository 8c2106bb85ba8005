#include "http/message.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "http/json.h"

namespace firn::http {
namespace {

TEST(Problem, SaysWhenToTryAgain) {
  const Response response = problem(Status(Code::kTooManyOpen));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.headers, (Headers{{"Retry-After", "1"}}));
}

TEST(Message, DecodesTargets) {
  Request request;
  ASSERT_TRUE(parse_target("/v1/files/a%20b+c%2Fd?x=1&y=a+b%26&z&x=2", request).ok());
  EXPECT_EQ(request.path, "/v1/files/a b+c/d");
  EXPECT_EQ(request.parameter("x"), "1");
  EXPECT_EQ(request.parameter("y"), "a b&");
  EXPECT_EQ(request.parameter("z"), "");
  EXPECT_EQ(request.parameter("none"), std::nullopt);
}

TEST(Message, RefusesBadTargets) {
  for (const char* target : {"", "v1", "*", "http://host/", "/%", "/%4", "/%zz", "/%00", "/a?b=%00", "/a?%f"}) {
    Request request;
    EXPECT_EQ(parse_target(target, request).code(), Code::kInvalid) << target;
  }
}

TEST(Message, EveryByteOfANameSurvivesEncoding) {
  std::string name = "/";
  for (int byte = 1; byte < 256; ++byte) name += static_cast<char>(byte);
  Request request;
  ASSERT_TRUE(parse_target(encode_path(name) + "?p=" + encode_parameter(name), request).ok());
  EXPECT_EQ(request.path, name);
  EXPECT_EQ(request.parameter("p"), name);
}

TEST(Message, ProblemsAreJsonWhateverTheNameInThem) {
  const Response response = problem(Status(Code::kNotFound, "a\xff\"b"));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  const auto body = nlohmann::json::parse(response.body);
  EXPECT_EQ(body.at("errno"), ENOENT);
  EXPECT_EQ(body.at("status"), 404);
}

TEST(Message, NamesThatAreNoUtf8KeepTheirBytes) {
  nlohmann::json entry;
  put_name(entry, "caf\xe9");
  EXPECT_EQ(entry.at("name_hex"), "636166e9");
  nlohmann::json plain;
  put_name(plain, "caf\xc3\xa9");
  EXPECT_EQ(plain.at("name"), "caf\xc3\xa9");
  EXPECT_FALSE(plain.contains("name_hex"));
}

}  // namespace
}  // namespace firn::http
