#include "http/request_metrics.h"

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "http/api.h"

namespace firn::http {
namespace {

TEST(RequestMetrics, RoutesHaveFewFamilies) {
  EXPECT_EQ(route_family("/v1/files/a/b"), "files");
  EXPECT_EQ(route_family("/v1/ls"), "ls");
  EXPECT_EQ(route_family("/metrics"), "metrics");
  for (const Route& route : Api::routes()) EXPECT_NE(route_family(route.pattern), "other") << route.pattern;
  for (const char* path : {"/", "/v1/", "/v1/nothing", "/favicon.ico", "/v1", "/v1/filesystem"})
    EXPECT_EQ(route_family(path), "other") << path;
}

TEST(RequestMetrics, CountsByMethodRouteAndStatus) {
  const auto value = [](const char* method, const char* route, const char* status) {
    return metrics::process_registry()
        .counter("firn_http_requests_total", "", {{"method", method}, {"route", route}, {"status", status}})
        .value();
  };
  const uint64_t before = value("PUT", "files", "2xx");
  count_request({.method = "PUT", .path = "/v1/files/a", .status = 201, .received_bytes = 5, .took_ns = 1000});
  count_request({.method = "BREW", .path = "/x", .status = 0});
  count_malformed_request(431);
  EXPECT_EQ(value("PUT", "files", "2xx"), before + 1);
  EXPECT_EQ(value("other", "other", "none"), 1u);
  EXPECT_EQ(value("other", "malformed", "4xx"), 1u);
}

}  // namespace
}  // namespace firn::http
