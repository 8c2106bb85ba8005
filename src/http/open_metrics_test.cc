#include "http/open_metrics.h"

#include <gtest/gtest.h>

namespace firn::http {
namespace {

TEST(OpenMetrics, NamesFamiliesOfCountersWithoutTheirEndingAndMarksTheEnd) {
  EXPECT_EQ(open_metrics_of("# HELP a_total Of a_total.\n# TYPE a_total counter\na_total{x=\"y\"} 1\n"
                            "# HELP g G.\n# TYPE g gauge\ng 2\n"),
            "# HELP a Of a_total.\n# TYPE a counter\na_total{x=\"y\"} 1\n# HELP g G.\n# TYPE g gauge\ng 2\n# EOF\n");
  EXPECT_EQ(open_metrics_of(""), "# EOF\n");
}

TEST(OpenMetrics, IsForThoseWhoWantIt) {
  for (const char* accept :
       {"application/openmetrics-text",
        "text/plain;q=0.5, application/openmetrics-text; version=1.0.0 ;q=0.7,*/*;q=0.1",
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"})
    EXPECT_TRUE(wants_open_metrics(accept)) << accept;
  for (const char* accept : {"", "*/*", "text/plain", "application/openmetrics-text;q=0",
                             "application/openmetrics-text;q=0.3, text/plain;q=0.5", "application/openmetrics-texts"})
    EXPECT_FALSE(wants_open_metrics(accept)) << accept;
}

}  // namespace
}  // namespace firn::http
