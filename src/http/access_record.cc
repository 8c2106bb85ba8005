#include "http/access_record.h"

#include <fmt/format.h>

#include "http/api.h"

namespace firn::http {
namespace {

constexpr int kFirstError = 400;

// "GET:files" of GET /v1/files/a, "POST:admin/sync"; "other" of what is no route: a method may be any word.
std::string operation_of(const Request& request, const Route* route) {
  if (!route) return "other";
  constexpr std::string_view kPrefix = "/v1/";
  std::string_view name = route->pattern.substr(0, route->pattern.find("/{"));
  name.remove_prefix(name.starts_with(kPrefix) ? kPrefix.size() : 1);
  return fmt::format("{}:{}", request.method, name);
}

std::string parameter_of(const Request& request, std::string_view name) {
  return std::string(request.parameter(name).value_or(""));
}

// The volume's, not the route's, nor the machine's.
void note_paths(const Request& request, const RouteMatch& match, vfs::AccessRecord& record) {
  if (match.route && match.route->pattern == "/v1/admin/migrate") {
    record.path = parameter_of(request, "into");
    return;
  }
  if (match.argument.starts_with('/')) record.path = match.argument;
  for (const std::string_view name : {"path", "from"})
    if (record.path.empty()) record.path = parameter_of(request, name);
  record.new_path = parameter_of(request, "to");
}

std::string result_of(int status) {
  if (status == 0) return "none";
  return status < kFirstError ? "OK" : std::to_string(status);
}

}  // namespace

void log_access(vfs::AccessLog& log, const Exchange& exchange, int64_t started_ns) {
  const Request& request = exchange.request();
  if (request.path == kAccessLogRoute) return;
  const Peer& peer = exchange.peer();
  const RouteMatch match = match_route(request.method, request.path);
  vfs::AccessRecord record{.started_ns = started_ns,
                           .door = "http",
                           .op = operation_of(request, match.route),
                           .bytes = exchange.read_bytes() + exchange.written_bytes(),
                           .uid = peer.uid,
                           .gid = peer.gid,
                           .pid = peer.pid,
                           .client = peer.client,
                           .token = peer.token};
  note_paths(request, match, record);
  log.add(record, result_of(exchange.status()));
}

}  // namespace firn::http
