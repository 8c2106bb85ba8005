// The metrics in the OpenMetrics text format 1.0.0 (prometheus.io/docs/specs/om), which differs little from
// Prometheus'.
#pragma once

#include <string>
#include <string_view>

namespace firn::http {

inline constexpr const char* kOpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

// Of a text in Prometheus' format 0.0.4 whose counters end in _total: a family of counters is named without that, and
// the end is marked.
std::string open_metrics_of(std::string_view prometheus);

// Whether a request's Accept would rather have it than text/plain (RFC 9110, 12.5.1). A version is not looked at:
// whoever takes another one takes text as well.
bool wants_open_metrics(std::string_view accept);

}  // namespace firn::http
