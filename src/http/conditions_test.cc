// Conditions, tags and ranges as RFC 9110 has them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "http/ranges.h"
#include "http/testing/api_fixture.h"
#include "http/validators.h"

namespace firn::http {
namespace {

using Kind = RangesAsked::Kind;

TEST(Ranges, AreReadAsTheRfcSays) {
  const auto only = [](std::string_view header) {
    const RangesAsked asked = parse_ranges(header, 1000);
    return asked.ranges.size() == 1 ? asked.ranges.front() : ByteRange{};
  };
  EXPECT_EQ(only("bytes=0-0"), (ByteRange{0, 1}));
  EXPECT_EQ(only("bytes= 500-"), (ByteRange{500, 500}));
  EXPECT_EQ(only("bytes=-1"), (ByteRange{999, 1}));
  EXPECT_EQ(only("bytes=-2000"), (ByteRange{0, 1000}));
  EXPECT_EQ(only("bytes=10-99999999999999999999999"), (ByteRange{10, 990}));
  EXPECT_EQ(only("bytes=2000-,5-5"), (ByteRange{5, 1}));
  for (const char* nothing : {"bytes=", "bytes=,", "bytes=a-b", "bytes=5-1", "bytes=-", "bytes=1", "lines=0-1",
                              "bytes=1-2,x", "bytes=+1-2", "bytes=--1"})
    EXPECT_EQ(parse_ranges(nothing, 1000).kind, Kind::kNone) << nothing;
  for (const char* outside : {"bytes=1000-", "bytes=-0", "bytes=1000-2000,3000-"})
    EXPECT_EQ(parse_ranges(outside, 1000).kind, Kind::kUnsatisfiable) << outside;
  EXPECT_EQ(parse_ranges("bytes=0-", 0).kind, Kind::kUnsatisfiable);
}

TEST(Ranges, ThatTouchAreOneAndTooManyAreNone) {
  EXPECT_EQ(parse_ranges("bytes=500-599,0-9,550-700", 1000).ranges, (std::vector<ByteRange>{{0, 10}, {500, 201}}));
  EXPECT_EQ(parse_ranges("bytes=0-9,20-29", 1000).ranges, (std::vector<ByteRange>{{0, 30}}));
  std::string many = "bytes=0-0";
  for (size_t i = 1; i < kMaxRanges; ++i) many += fmt::format(",{}-{}", 1000 * i, 1000 * i);
  EXPECT_EQ(parse_ranges(many, 1'000'000).ranges.size(), kMaxRanges);
  EXPECT_EQ(parse_ranges(many + ",1-1", 1'000'000).kind, Kind::kNone);
}

TEST(Validators, Dates) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  for (const char* form :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"})
    EXPECT_EQ(parse_http_date(form), 784111777) << form;
  for (const char* none : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "784111777"})
    EXPECT_EQ(parse_http_date(none), std::nullopt) << none;
  EXPECT_EQ(http_date(INT64_MAX), "");
}

struct Case {
  Headers headers;
  Verdict read, write;
};

TEST(Validators, ConditionsInTheirOrder) {
  const meta::Attr attr{.inode = InodeId{5}, .size = 3, .mtime = {784111777, 5}, .ctime = {784111778, 7}};
  const std::string tag = etag_of(attr), before = http_date(784111776), at = http_date(784111777);
  using enum Verdict;
  for (const Case& c :
       std::initializer_list<Case>{{{}, kProceed, kProceed},
                                   {{{"if-match", tag}}, kProceed, kProceed},
                                   {{{"if-match", "*"}}, kProceed, kProceed},
                                   {{{"if-match", "\"a,b\", " + tag}}, kProceed, kProceed},
                                   {{{"if-match", "\"a\""}, {"if-match", tag}}, kProceed, kProceed},
                                   {{{"if-match", "W/" + tag}}, kFailed, kFailed},
                                   {{{"if-match", "\"other\""}}, kFailed, kFailed},
                                   {{{"if-match", "nonsense"}}, kFailed, kFailed},
                                   {{{"if-match", ""}}, kFailed, kFailed},
                                   {{{"if-none-match", tag}}, kNotModified, kFailed},
                                   {{{"if-none-match", "W/" + tag}}, kNotModified, kFailed},
                                   {{{"if-none-match", "*"}}, kNotModified, kFailed},
                                   {{{"if-none-match", "\"other\""}, {"if-modified-since", at}}, kProceed, kProceed},
                                   {{{"if-modified-since", at}}, kNotModified, kProceed},
                                   {{{"if-modified-since", before}}, kProceed, kProceed},
                                   {{{"if-modified-since", "soon"}}, kProceed, kProceed},
                                   {{{"if-unmodified-since", at}}, kProceed, kProceed},
                                   {{{"if-unmodified-since", before}}, kFailed, kFailed},
                                   {{{"if-match", tag}, {"if-unmodified-since", before}}, kProceed, kProceed},
                                   {{{"if-match", tag}, {"if-none-match", tag}}, kNotModified, kFailed}}) {
    const std::string what = c.headers.empty() ? "none" : c.headers[0].first + ": " + c.headers[0].second;
    EXPECT_EQ(check_conditions({.method = "GET", .headers = c.headers}, attr), c.read) << what;
    EXPECT_EQ(check_conditions({.method = "PUT", .headers = c.headers}, attr), c.write) << what;
  }
  EXPECT_EQ(check_conditions({.method = "PUT", .headers = {{"if-match", "*"}}}, std::nullopt), kFailed);
  EXPECT_EQ(check_conditions({.method = "PUT", .headers = {{"if-none-match", "*"}}}, std::nullopt), kProceed);
  EXPECT_EQ(check_conditions({.method = "PUT", .headers = {{"if-unmodified-since", at}}}, std::nullopt), kFailed);
}

TEST_F(ApiTest, TagsOfAFileWrittenTwiceInATickDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    seen.insert(call("PUT", "/v1/files/f", "abc").header("ETag"));
    for (const char* body : {"x", "y", "z"}) {
      const Reply patched = call("PATCH", "/v1/files/f?offset=1", body);
      EXPECT_EQ(patched.status, 200) << patched.body;
      EXPECT_EQ(call("GET", "/v1/files/f").header("ETag"), patched.header("ETag"));
      seen.insert(patched.header("ETag"));
    }
  }
  EXPECT_EQ(seen.size(), 12u);
  EXPECT_FALSE(seen.contains(""));
}

TEST_F(ApiTest, PartsOfAFile) {
  ASSERT_EQ(call("PUT", "/v1/files/f", std::string(1000, 'a') + std::string(1000, 'b')).status, 201);
  const Reply reply = call("GET", "/v1/files/f", "", {}, "Range: bytes=1998-,0-1\r\n");
  EXPECT_EQ(reply.status, 206);
  const std::string type = reply.header("Content-Type");
  ASSERT_TRUE(type.starts_with("multipart/byteranges; boundary="));
  const std::string boundary = type.substr(type.find('=') + 1);
  const std::string part = "\r\n--" + boundary + "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ";
  EXPECT_EQ(reply.body, part + "0-1/2000\r\n\r\naa" + part + "1998-1999/2000\r\n\r\nbb\r\n--" + boundary + "--\r\n");
  EXPECT_EQ(reply.header("Content-Length"), std::to_string(reply.body.size()));
  const std::string tag = reply.header("ETag");
  EXPECT_EQ(call("GET", "/v1/files/f", "", {}, "Range: bytes=0-1\r\nIf-Range: " + tag + "\r\n").body, "aa");
  EXPECT_EQ(call("GET", "/v1/files/f", "", {}, "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").status, 200);
  EXPECT_EQ(call("HEAD", "/v1/files/f", "", {}, "Range: bytes=0-1\r\n").header("Content-Length"), "2000");
}

TEST_F(ApiTest, OnlyOneOfTwoWhoReplaceTheSameVersionDoes) {
  const std::string tag = call("PUT", "/v1/files/f", "first").header("ETag");
  const std::string condition = "If-Match: " + tag + "\r\n";
  EXPECT_EQ(call("PUT", "/v1/files/f", "second", {}, condition).status, 204);
  EXPECT_EQ(call("PUT", "/v1/files/f", "third", {}, condition).status, 412);
  EXPECT_EQ(call("PATCH", "/v1/files/f?append=1", "third", {}, condition).status, 412);
  EXPECT_EQ(call("DELETE", "/v1/files/f", "", {}, condition).status, 412);
  EXPECT_EQ(call("GET", "/v1/files/f").body, "second");
  EXPECT_EQ(call("PUT", "/v1/files/f", "new", {}, "If-None-Match: *\r\n").status, 412);
  EXPECT_EQ(call("PUT", "/v1/files/g", "new", {}, "If-None-Match: *\r\n").status, 201);
  EXPECT_EQ(call("PUT", "/v1/files/h", "new", {}, "If-Match: *\r\n").status, 412);
  EXPECT_EQ(call("DELETE", "/v1/files/h", "", {}, "If-Match: *\r\n").status, 412);
  EXPECT_EQ(names("/"), (std::vector<std::string>{"f", "g"}));
}

}  // namespace
}  // namespace firn::http
