#include "http/request_metrics.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <string>

#include "base/metrics.h"

namespace firn::http {
namespace {

constexpr std::array<std::string_view, 8> kMethods = {"GET",    "HEAD",  "PUT",     "POST",
                                                      "DELETE", "PATCH", "OPTIONS", "other"};
constexpr std::array<std::string_view, 18> kFamilies = {
    "files",  "meta",   "ls",    "copy",   "link",    "symlink", "mkdir",        "move",      "tiers",
    "policy", "events", "admin", "status", "devices", "metrics", "openapi.json", "malformed", "other"};
constexpr std::array<const char*, 6> kClasses = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

template <size_t kCount>
size_t index_of(const std::array<std::string_view, kCount>& names, std::string_view name) {
  const auto at = std::ranges::find(names, name);
  return at == names.end() ? kCount - 1 : static_cast<size_t>(at - names.begin());
}

struct RouteMetrics {
  RouteMetrics(std::string_view method, std::string_view route)
      : seconds(metrics::process_registry().histogram(
            "firn_http_request_seconds", "Time from a request's head to its response's end.",
            {{"method", std::string(method)}, {"route", std::string(route)}})) {
    for (size_t i = 0; i < kClasses.size(); ++i)
      by_class[i] = &metrics::process_registry().counter(
          "firn_http_requests_total", "HTTP requests, by the class of their response.",
          {{"method", std::string(method)}, {"route", std::string(route)}, {"status", kClasses[i]}});
  }
  metrics::Histogram& seconds;
  std::array<metrics::Counter*, kClasses.size()> by_class{};
};

// Made when it is first asked for, and never destroyed: requests may be counted while the process exits.
RouteMetrics& metrics_of(std::string_view method, std::string_view family) {
  static std::array<std::atomic<RouteMetrics*>, kMethods.size() * kFamilies.size()> all{};
  const size_t method_index = index_of(kMethods, method), family_index = index_of(kFamilies, family);
  std::atomic<RouteMetrics*>& slot = all[method_index * kFamilies.size() + family_index];
  if (RouteMetrics* known = slot.load(std::memory_order_acquire)) return *known;
  auto* made = new RouteMetrics(kMethods[method_index], kFamilies[family_index]);
  RouteMetrics* before = nullptr;
  if (slot.compare_exchange_strong(before, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *before;
}

size_t class_of(int status) { return status < 100 || status > 599 ? 0 : static_cast<size_t>(status / 100); }

}  // namespace

std::string_view route_family(std::string_view path) {
  constexpr std::string_view kPrefix = "/v1/";
  if (path == "/metrics") return "metrics";
  if (!path.starts_with(kPrefix)) return "other";
  path.remove_prefix(kPrefix.size());
  return kFamilies[index_of(kFamilies, path.substr(0, path.find('/')))];
}

void count_request(const ServedRequest& request) {
  static metrics::Counter& received =
      metrics::process_registry().counter("firn_http_received_bytes_total", "Bytes of requests' bodies.");
  static metrics::Counter& sent =
      metrics::process_registry().counter("firn_http_sent_bytes_total", "Bytes of responses' bodies.");
  RouteMetrics& counted = metrics_of(request.method, route_family(request.path));
  counted.by_class[class_of(request.status)]->add();
  counted.seconds.record(static_cast<uint64_t>(std::max<int64_t>(request.took_ns, 0)));
  received.add(request.received_bytes);
  sent.add(request.sent_bytes);
}

void count_malformed_request(int status) { metrics_of("other", "malformed").by_class[class_of(status)]->add(); }

}  // namespace firn::http
