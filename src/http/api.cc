#include "http/api.h"

#include <fmt/format.h>

#include <charconv>

namespace firn::http {

Result<std::string> parameter(const Request& request, std::string_view name) {
  const auto value = request.parameter(name);
  if (!value) return fail(Code::kInvalid, fmt::format("the query parameter \"{}\" is missing", name));
  return std::string(*value);
}

Result<uint64_t> number_parameter(const Request& request, std::string_view name, uint64_t fallback, int base) {
  const auto text = request.parameter(name);
  if (!text) return fallback;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value, base);
  if (error != std::errc() || end != text->data() + text->size())
    return fail(Code::kInvalid, fmt::format("the query parameter \"{}\" is not a number", name));
  return value;
}

Asker Api::credentials(const Exchange& exchange) const {
  const Peer& peer = exchange.peer();
  return Asker(
      {.uid = peer.uid, .gid = peer.gid, .groups = peer.groups, .kernel_checked = false, .door = options_.door},
      peer.scope);
}

io::Task<Result<void>> Api::handle(Exchange& exchange) {
  Result<void> result = co_await route(exchange);
  if (!result && !exchange.responded()) co_return co_await exchange.respond(problem(result.error()));
  co_return result;
}

io::Task<Result<void>> Api::route(Exchange& exchange) {
  constexpr std::string_view kFiles = "/v1/files/";
  constexpr std::string_view kAdmin = "/v1/admin/";
  constexpr std::string_view kWork = "/v1/work/";
  const std::string_view method = exchange.request().method;
  const std::string_view path = exchange.request().path;
  const bool get = method == "GET" || method == "HEAD";
  const bool post = method == "POST";
  const bool is_file = path.starts_with(kFiles);
  std::string file = is_file ? std::string(path.substr(kFiles.size() - 1)) : std::string();

  if (is_file && get) return get_file(exchange, std::move(file));
  if (is_file && method == "PUT") return put_file(exchange, std::move(file));
  if (is_file && method == "DELETE") return remove(exchange, std::move(file));
  if (path == "/v1/ls" && get) return list(exchange);
  if (path == "/v1/stat" && get) return stat(exchange);
  if (path == "/v1/status" && get) return status(exchange);
  if ((path == "/v1/metrics" || path == "/metrics") && get) return show_metrics(exchange);
  if (path == "/v1/mkdir" && post) return make_directory(exchange);
  if (path == "/v1/move" && post) return move(exchange);
  if (path == "/v1/tiers" && get) return list_tiers(exchange);
  if (path == "/v1/policy" && get) return show_policy(exchange);
  if (path == "/v1/wal" && get) return list_pending(exchange);
  if (path.starts_with(kWork) && post) return long_work(exchange, path.substr(kWork.size()));
  if (path.starts_with(kAdmin) && post) return admin(exchange, path.substr(kAdmin.size()));

  for (const char* known : {"/v1/ls", "/v1/stat", "/v1/status", "/v1/metrics", "/metrics", "/v1/mkdir", "/v1/move",
                            "/v1/tiers", "/v1/policy", "/v1/wal"})
    if (path == known) return exchange.respond(problem(405, fmt::format("{} is not for {}", method, path)));
  if (is_file || path.starts_with(kAdmin) || path.starts_with(kWork))
    return exchange.respond(problem(405, fmt::format("{} is not for {}", method, path)));
  return exchange.respond(problem(404, fmt::format("no such resource: {}", path)));
}

}  // namespace firn::http
