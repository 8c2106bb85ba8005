// Attributes over HTTP, and the text that changes them.
#include "http/base64.h"
#include "http/meta_change.h"
#include "http/testing/api_fixture.h"

namespace firn::http {
namespace {

TEST(Base64, ThereAndBack) {
  for (const std::string& bytes : {std::string(), std::string("f"), std::string("fo"), std::string("foo"),
                                   std::string("\0\xff\xfe?>", 5), std::string(1000, '\xee')}) {
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
  }
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(to_base64url("\xff\xfe"), "__4");
  for (const char* bad : {"Z", "Zm9", "Zm9v\n", "Zm9v Zm9v", "====", "Zm=v", "Zm9?"})
    EXPECT_FALSE(from_base64(bad)) << bad;
}

TEST(MetaChange, TellsWhatItDoesNotUnderstand) {
  for (const char* good : {"{}", R"({"mode":"0","uid":0,"gid":4294967294})", R"({"atime":"now","mtime":"-1.5"})",
                           R"({"mtime":1})", R"({"xattrs":{"user.a":"b","user.c":null,"user.d":{"base64":"Zg=="}}})"})
    EXPECT_TRUE(parse_meta_change(good)) << good;
  for (const char* bad :
       {"", "[]", "{", "1", R"({"mode":420})", R"({"mode":"8"})", R"({"mode":"17777"})", R"({"uid":-1})",
        R"({"uid":4294967295})", R"({"gid":"0"})", R"({"atime":"soon"})", R"({"mtime":1.5})",
        R"({"mtime":"1.0000000001"})", R"({"mtime":"999999999999999"})", R"({"size":1})", R"({"xattrs":[]})",
        R"({"xattrs":{"user.a":1}})", R"({"xattrs":{"user.a":{"base64":"?"}}})", R"({"xattrs":{"":"x"}})"}) {
    const auto change = parse_meta_change(bad);
    ASSERT_FALSE(change) << bad;
    EXPECT_EQ(change.error(), Code::kInvalid);
    EXPECT_FALSE(change.error().message().empty());
  }
  const auto before_1970 = parse_meta_change(R"({"mtime":"-1.5"})");
  EXPECT_EQ(before_1970->attributes.mtime, (Timestamp{-1, 500'000'000}));
}

TEST_F(ApiTest, AttributesAreShownAndChanged) {
  ASSERT_EQ(call("PUT", "/v1/files/f", "content").status, 201);
  const Reply changed = call("PATCH", "/v1/meta/f",
                             R"({"mode":"640","uid":1000,"gid":100,"atime":"5","mtime":"7.25",)"
                             R"("xattrs":{"user.text":"h\u00e9","user.bytes":{"base64":"//4="}}})");
  ASSERT_EQ(changed.status, 200) << changed.body;
  const nlohmann::json meta = call("GET", "/v1/meta/f").json();
  EXPECT_EQ(meta, changed.json());
  EXPECT_EQ(meta.at("mode"), "0640");
  EXPECT_EQ(meta.at("uid"), 1000);
  EXPECT_EQ(meta.at("mtime"), "7.250000000");
  EXPECT_EQ(meta.at("xattrs").at("user.text"), "h\u00e9");
  EXPECT_EQ(meta.at("xattrs").at("user.bytes").at("base64"), "//4=");
  EXPECT_EQ(meta.at("etag"), call("GET", "/v1/files/f").header("ETag"));
  EXPECT_EQ(call("PATCH", "/v1/meta/f", R"({"xattrs":{"user.text":null,"user.none":null}})").status, 200);
  EXPECT_EQ(call("GET", "/v1/meta/f").json().at("xattrs").size(), 1u);
  EXPECT_EQ(call("PATCH", "/v1/meta/f", R"({"xattrs":{"nonsense":"x"}})").status, 400);
  EXPECT_EQ(call("PATCH", "/v1/meta/f", "{}", {}, "If-Match: \"other\"\r\n").status, 412);
  EXPECT_EQ(call("GET", "/v1/meta/").json().at("type"), "directory");
}

TEST_F(ApiTest, TheVolumeDecidesWhoMayChangeThem) {
  ASSERT_EQ(call("PUT", "/v1/files/f", "content").status, 201);
  const Peer stranger{.uid = 1000, .gid = 1000, .groups = {}};
  for (const char* change :
       {R"({"mode":"777"})", R"({"uid":1000})", R"({"mtime":"now"})", R"({"xattrs":{"user.a":"b"}})"})
    EXPECT_EQ(call("PATCH", "/v1/meta/f", change, stranger).status, 403) << change;
  ASSERT_EQ(call("PATCH", "/v1/meta/f", R"({"uid":1000})").status, 200);
  EXPECT_EQ(call("PATCH", "/v1/meta/f", R"({"mode":"600","mtime":"now"})", stranger).status, 200);
  EXPECT_EQ(call("PATCH", "/v1/meta/f", R"({"uid":0})", stranger).status, 403);
  EXPECT_EQ(call("PATCH", "/v1/meta/f", R"({"gid":5})", stranger).status, 403);
}

TEST_F(ApiTest, CopiesAndLinks) {
  const std::string content(300'000, 'c');
  ASSERT_EQ(call("PUT", "/v1/files/f?mode=640", content).status, 201);
  EXPECT_EQ(call("POST", "/v1/copy?from=/f&to=/copy").status, 201);
  EXPECT_EQ(call("POST", "/v1/copy?from=/f&to=/copy").status, 204);
  EXPECT_EQ(call("POST", "/v1/copy?from=/f&to=/copy&no_replace=1").status, 409);
  EXPECT_TRUE(call("GET", "/v1/files/copy").body == content);
  EXPECT_EQ(call("GET", "/v1/meta/copy").json().at("mode"), "0640");
  EXPECT_EQ(call("POST", "/v1/copy?from=/f&to=/f").status, 204);
  EXPECT_TRUE(call("GET", "/v1/files/f").body == content);
  EXPECT_EQ(call("POST", "/v1/copy?from=/&to=/d").status, 409);
  EXPECT_EQ(call("POST", "/v1/copy?from=/none&to=/d").status, 404);
  EXPECT_EQ(call("POST", "/v1/link?from=/f&to=/hard").status, 201);
  EXPECT_EQ(call("POST", "/v1/link?from=/f&to=/hard").status, 409);
  EXPECT_EQ(call("GET", "/v1/meta/hard").json().at("nlink"), 2);
  EXPECT_EQ(call("POST", "/v1/link?from=/&to=/d").status, 409);
  EXPECT_EQ(call("POST", "/v1/symlink?path=/soft&target=f").status, 201);
  EXPECT_EQ(call("GET", "/v1/meta/soft").json().at("target"), "f");
  EXPECT_TRUE(call("GET", "/v1/files/soft").body == content);
  EXPECT_EQ(call("POST", "/v1/symlink?path=/soft2&target=").status, 400);
  EXPECT_EQ(names("/"), (std::vector<std::string>{"copy", "f", "hard", "soft"}));
}

TEST_F(ApiTest, WhoMayNotReadAFileLinksItNeither) {
  ASSERT_EQ(call("PUT", "/v1/files/f", "content").status, 201);
  ASSERT_EQ(call("POST", "/v1/mkdir?path=/open&mode=777").status, 201);
  const Peer stranger{.uid = 1000, .gid = 1000, .groups = {}};
  EXPECT_EQ(call("POST", "/v1/link?from=/f&to=/open/f", "", stranger).status, 403);
  ASSERT_EQ(call("PATCH", "/v1/meta/f", R"({"mode":"666"})").status, 200);
  EXPECT_EQ(call("POST", "/v1/link?from=/f&to=/open/f", "", stranger).status, 201);
  ASSERT_EQ(call("PATCH", "/v1/meta/f", R"({"mode":"4777"})").status, 200);
  EXPECT_EQ(call("POST", "/v1/link?from=/f&to=/open/g", "", stranger).status, 403);
  ASSERT_EQ(call("PUT", "/v1/files/secret?mode=600", "content").status, 201);
  EXPECT_EQ(call("POST", "/v1/copy?from=/secret&to=/open/s", "", stranger).status, 403);
}

TEST_F(ApiTest, FilesAreChangedInPlace) {
  ASSERT_EQ(call("PUT", "/v1/files/f", "0123456789").status, 201);
  EXPECT_EQ(call("PATCH", "/v1/files/f?offset=3", "abc").json().at("written"), 3);
  EXPECT_EQ(call("PATCH", "/v1/files/f?append=1", "end").json().at("size"), 13);
  EXPECT_EQ(call("GET", "/v1/files/f").body, "012abc6789end");
  EXPECT_EQ(call("PATCH", "/v1/files/f?truncate=4").json().at("size"), 4);
  EXPECT_EQ(call("PATCH", "/v1/files/f?offset=6", "x").status, 200);
  EXPECT_EQ(call("GET", "/v1/files/f").body, std::string("012a\0\0x", 7));
  const std::string large(700'000, 'l');
  EXPECT_EQ(call("PATCH", "/v1/files/f?append=1", large).json().at("size"), 700'007);
  EXPECT_TRUE(call("GET", "/v1/files/f").body.ends_with(large));
  for (const char* wrong : {"", "?offset=1&append=1", "?offset=-1", "?append=0", "?append=maybe", "?truncate=x"})
    EXPECT_EQ(call("PATCH", std::string("/v1/files/f") + wrong, "x").status, 400) << wrong;
  EXPECT_EQ(call("PATCH", "/v1/files/f?offset=9223372036854775807", "x").status, 413);
  EXPECT_EQ(call("PATCH", "/v1/files/none?append=1", "x").status, 404);
  EXPECT_EQ(call("PATCH", "/v1/files/?append=1", "x").status, 409);
  const Peer stranger{.uid = 1000, .gid = 1000, .groups = {}};
  EXPECT_EQ(call("PATCH", "/v1/files/f?append=1", "x", stranger).status, 403);
}

TEST_F(ApiTest, APatchIsDurable) {
  ASSERT_EQ(call("PUT", "/v1/files/f", std::string(100'000, 'x')).status, 201);
  ASSERT_EQ(call("PATCH", "/v1/files/f?offset=0", "begin").status, 200);
  ASSERT_EQ(call("PATCH", "/v1/files/f?append=1", "end").status, 200);
  world_.cut_power();
  ASSERT_TRUE(world_.mount());
  const std::string body = call("GET", "/v1/files/f").body;
  EXPECT_TRUE(body.starts_with("beginx"));
  EXPECT_TRUE(body.ends_with("xend"));
  EXPECT_EQ(body.size(), 100'003u);
}

}  // namespace
}  // namespace firn::http
