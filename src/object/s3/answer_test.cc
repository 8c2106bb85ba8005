#include "object/s3/answer.h"

#include <gtest/gtest.h>

namespace firn::object::s3 {
namespace {

HttpResponse error_answer(long status, const std::string& code, const std::string& more = "") {
  return {.status = status,
          .body = "<?xml version=\"1.0\"?>\n<Error><Code>" + code + "</Code><Message>It&apos;s &lt;so&gt;</Message>" +
                  more + "</Error>"};
}

TEST(Answer, ReadsXml) {
  EXPECT_EQ(xml_text("<a><Code>X&amp;Y</Code></a>", "Code"), "X&Y");
  EXPECT_EQ(xml_text("<a><Code>unfinished", "Code"), "");
  EXPECT_EQ(xml_text("", "Code"), "");
  EXPECT_EQ(xml_text("<Code></Code>", "Code"), "");
}

TEST(Answer, TellsWhatToDo) {
  struct Case {
    long status;
    const char* code;
    Code meaning;
    Remedy remedy;
  };
  for (const Case& one :
       {Case{404, "NoSuchKey", Code::kNotFound, Remedy::kNone},
        Case{404, "NoSuchBucket", Code::kNoDevice, Remedy::kNone},
        Case{412, "PreconditionFailed", Code::kExists, Remedy::kNone},
        Case{409, "ConditionalRequestConflict", Code::kUnavailable, Remedy::kNone},
        Case{503, "SlowDown", Code::kUnavailable, Remedy::kNone},
        Case{500, "InternalError", Code::kUnavailable, Remedy::kNone}, Case{429, "", Code::kUnavailable, Remedy::kNone},
        Case{403, "AccessDenied", Code::kAccessDenied, Remedy::kNone},
        Case{403, "SignatureDoesNotMatch", Code::kAccessDenied, Remedy::kNone},
        Case{400, "ExpiredToken", Code::kAccessDenied, Remedy::kRenewCredentials},
        Case{404, "XAdminUserNotFound", Code::kAccessDenied, Remedy::kRenewCredentials},
        Case{404, "NoSuchUpload", Code::kInvalid, Remedy::kNone},
        Case{403, "RequestTimeTooSkewed", Code::kInvalid, Remedy::kCorrectClock},
        Case{507, "", Code::kNoSpace, Remedy::kNone}, Case{400, "BadDigest", Code::kUnavailable, Remedy::kNone},
        Case{418, "Teapot", Code::kInvalid, Remedy::kNone}}) {
    const Refusal found = refusal(error_answer(one.status, one.code), "get k");
    EXPECT_EQ(found.status, one.meaning) << one.code;
    EXPECT_EQ(found.remedy, one.remedy) << one.code;
    EXPECT_TRUE(found.status.message().starts_with("get k: ")) << found.status.message();
  }
}

TEST(Answer, QuotesTheServer) {
  EXPECT_EQ(refusal(error_answer(403, "AccessDenied"), "get k").status.message(),
            "get k: HTTP status 403, AccessDenied: It's <so>");
}

TEST(Answer, OnlyTheStoreSaysThatAnObjectIsMissing) {
  EXPECT_EQ(refusal({.status = 404}, "get k").status, Code::kNotFound);
  EXPECT_EQ(refusal({.status = 404, .body = "<html>nginx</html>"}, "get k").status, Code::kInvalid);
}

TEST(Answer, NamesTheRegion) {
  const Refusal moved =
      refusal(error_answer(400, "AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"), "get k");
  EXPECT_EQ(moved.status, Code::kInvalid);
  EXPECT_NE(moved.status.message().find("eu-west-3"), std::string::npos);
  HttpResponse redirect{.status = 301, .headers = {{"x-amz-bucket-region", "ap-south-1"}}};
  EXPECT_NE(refusal(redirect, "get k").status.message().find("ap-south-1"), std::string::npos);
}

}  // namespace
}  // namespace firn::object::s3
