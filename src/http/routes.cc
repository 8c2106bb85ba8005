// The table of routes. openapi.json describes each; a test compares the two.
#include "http/api.h"

namespace firn::http {

std::span<const Route> Api::routes() {
  using enum Right;
  static constexpr Route kRoutes[] = {
      {"GET", "/v1/files/{path}", kRead, &Api::get_file},
      {"PUT", "/v1/files/{path}", kWrite, &Api::put_file},
      {"PATCH", "/v1/files/{path}", kWrite, &Api::patch_file},
      {"DELETE", "/v1/files/{path}", kWrite, &Api::remove},
      {"GET", "/v1/meta/{path}", kRead, &Api::get_meta},
      {"PATCH", "/v1/meta/{path}", kWrite, &Api::patch_meta},
      {"GET", "/v1/ls/{path}", kRead, &Api::list},
      {"POST", "/v1/mkdir", kWrite, &Api::make_directory},
      {"POST", "/v1/move", kWrite, &Api::move},
      {"POST", "/v1/copy", kWrite, &Api::copy},
      {"POST", "/v1/link", kWrite, &Api::link},
      {"POST", "/v1/symlink", kWrite, &Api::make_symlink},
      {"GET", "/v1/tiers", kRead, &Api::list_tiers},
      {"GET", "/v1/policy", kRead, &Api::show_policy},
      {"GET", "/v1/events", kRead, &Api::events},
      {"GET", "/v1/status", kRead, &Api::status},
      {"GET", "/v1/devices", kRead, &Api::list_devices},
      {"GET", "/v1/metrics", kRead, &Api::show_metrics},
      {"GET", "/metrics", kRead, &Api::show_metrics},
      {"GET", "/v1/openapi.json", kRead, &Api::show_openapi},
      {"GET", "/v1/admin/wal", kAdmin, &Api::list_pending},
      {"POST", "/v1/admin/flush", kAdmin, &Api::long_work},
      {"POST", "/v1/admin/evict", kAdmin, &Api::long_work},
      {"POST", "/v1/admin/warm", kAdmin, &Api::long_work},
      {"POST", "/v1/admin/policy", kAdmin, &Api::long_work},
      {"POST", "/v1/admin/gc", kAdmin, &Api::long_work},
      {"POST", "/v1/admin/scrub", kAdmin, &Api::long_work},
      {"POST", "/v1/admin/migrate", kHost, &Api::long_work},
      {"GET", "/v1/admin/tokens", kAdmin, &Api::tokens},
      {"POST", "/v1/admin/tokens", kAdmin, &Api::tokens},
      {"DELETE", "/v1/admin/tokens/{id}", kAdmin, &Api::tokens},
      {"GET", "/v1/admin/accesslog", kAdmin, &Api::follow_access_log},
      {"POST", "/v1/admin/sync", kAdmin, &Api::sync},
      {"POST", "/v1/admin/log", kAdmin, &Api::set_log_level},
      {"POST", "/v1/admin/stop", kAdmin, &Api::stop},
  };
  return kRoutes;
}

namespace {

// What the placeholder of `pattern` stands for in `path`; nullopt: another resource.
std::optional<std::string_view> argument_of(std::string_view pattern, std::string_view path) {
  const size_t brace = pattern.find('{');
  if (brace == std::string_view::npos) return path == pattern ? std::optional(std::string_view()) : std::nullopt;
  if (!path.starts_with(pattern.substr(0, brace))) return std::nullopt;
  if (pattern.ends_with("{path}")) return path.substr(brace - 1);
  const std::string_view name = path.substr(brace);
  return name.empty() || name.contains('/') ? std::nullopt : std::optional(name);
}

}  // namespace

RouteMatch match_route(std::string_view method, std::string_view path) {
  const std::string_view asked = method == "HEAD" ? "GET" : method;
  for (const Route& route : Api::routes()) {
    if (route.method != asked) continue;
    if (const auto argument = argument_of(route.pattern, path))
      return {.route = &route, .argument = std::string(*argument), .allowed = ""};
  }
  RouteMatch match;
  for (const Route& route : Api::routes()) {
    if (!argument_of(route.pattern, path)) continue;
    if (!match.allowed.empty()) match.allowed += ", ";
    match.allowed += route.method;
    if (route.method == "GET") match.allowed += ", HEAD";
  }
  return match;
}

}  // namespace firn::http
