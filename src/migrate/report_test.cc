#include "migrate/report.h"

#include <gtest/gtest.h>

namespace firn::migrate {
namespace {

TEST(Report, CountsEveryEntryAndTellsOfThoseThatNeedIt) {
  Report report(true);
  report.add({.path = "/a", .bytes = 5});
  report.add({.path = "/d", .is_folder = true, .outcome = Outcome::kUnchanged});
  report.add({.path = "/b\n\xff", .bytes = 7, .outcome = Outcome::kFailed, .reason = "no \"way\""});
  const Tally tally = report.tally();
  EXPECT_EQ(tally.found(), 3u);
  EXPECT_EQ(tally.failed(), 1u);
  EXPECT_EQ(tally.bytes, 12u);
  EXPECT_EQ(tally.copied_bytes, 5u);
  EXPECT_EQ(report.excerpt(), "failed: /b?\xff: no \"way\"\n");
  EXPECT_EQ(report.take_lines(),
            "{\"path\":\"/a\",\"outcome\":\"copied\"}\n"
            "{\"path\":\"/d\",\"outcome\":\"unchanged\"}\n"
            "{\"path\":\"/b\\u000a\xEF\xBF\xBD\",\"path_hex\":\"2f620aff\",\"outcome\":\"failed\",\"reason\":\"no "
            "\\\"way\\\"\"}\n");
  EXPECT_EQ(report.take_lines(), "");
}

TEST(Report, JsonIsValidWhateverANameHolds) {
  EXPECT_EQ(json_string("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
  EXPECT_EQ(json_string("\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // overlong
  EXPECT_EQ(json_string("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // a surrogate
  EXPECT_EQ(json_string("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // cut off
}

TEST(Report, TheExcerptIsBounded) {
  Report report(false);
  for (int i = 0; i < 50; ++i) report.add({.path = "/f", .outcome = Outcome::kSkipped, .reason = "x"});
  EXPECT_TRUE(report.excerpt().ends_with("... and 30 more\n"));
  EXPECT_EQ(report.take_lines(), "");
}

}  // namespace
}  // namespace firn::migrate
