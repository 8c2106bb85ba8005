#include "cli/date_text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace firn::cli {
namespace {

TEST(DateText, FallsBackToTheNumberWhereNoCalendarHasTheYear) {
  setenv("TZ", "UTC", 1);
  tzset();
  EXPECT_EQ(date_text(0, "%Y-%m-%d %H:%M"), "1970-01-01 00:00");
  EXPECT_EQ(date_text(-1, "%Y-%m-%d %H:%M:%S"), "1969-12-31 23:59:59");
  EXPECT_EQ(date_text("86400.5", "%Y-%m-%d"), "1970-01-02");
  EXPECT_EQ(date_text("-", "%Y-%m-%d"), "1970-01-01");
  for (const int64_t far : {INT64_MAX, INT64_MIN}) EXPECT_EQ(date_text(far, "%Y-%m-%d"), std::to_string(far));
  EXPECT_EQ(date_text("99999999999999999999", "%Y"), std::to_string(INT64_MAX));
}

}  // namespace
}  // namespace firn::cli
