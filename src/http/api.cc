#include "http/api.h"

#include <fmt/format.h>

#include <charconv>

namespace firn::http {

Result<std::string> parameter(const Request& request, std::string_view name) {
  const auto value = request.parameter(name);
  if (!value) return fail(Code::kInvalid, fmt::format("the query parameter \"{}\" is missing", name));
  return std::string(*value);
}

Result<std::string> path_parameter(const Request& request, std::string_view name) {
  std::string path = TRY(parameter(request, name));
  if (path.starts_with('/')) return path;
  return fail(Code::kInvalid, fmt::format("the query parameter \"{}\" must be an absolute path of the volume", name));
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

Result<bool> flag_parameter(const Request& request, std::string_view name) {
  const std::string_view text = request.parameter(name).value_or("0");
  if (text == "1" || text == "true") return true;
  if (text == "0" || text == "false") return false;
  return fail(Code::kInvalid, fmt::format("the query parameter \"{}\" must be 1, true, 0 or false", name));
}

Result<uint32_t> mode_parameter(const Request& request, uint32_t fallback) {
  const uint64_t mode = TRY(number_parameter(request, "mode", fallback, 8));
  if (mode > 07777) return fail(Code::kInvalid, "\"mode\" must be octal, at most 7777");
  return static_cast<uint32_t>(mode);
}

Asker Api::credentials(const Exchange& exchange) const {
  const Peer& peer = exchange.peer();
  return Asker(
      {.uid = peer.uid, .gid = peer.gid, .groups = peer.groups, .kernel_checked = false, .door = options_.door},
      peer.scope);
}

// What a path led to was replaced or removed between two steps of an answer that has changed nothing: then it is as if
// the request had come a moment later.
io::Task<Result<void>> Api::handle(Exchange& exchange) {
  constexpr int kTries = 10;
  if (const std::string& method = exchange.request().method; method != "GET" && method != "HEAD")
    exchange.before_response([this] { return options_.volume.observers_know(options_.door); });
  Result<void> result = co_await route(exchange);
  const auto overtaken = [&] {
    return !result && result.error() == Code::kStale && !exchange.responded() && exchange.read_bytes() == 0;
  };
  for (int tries = 1; tries < kTries && overtaken(); ++tries) result = co_await route(exchange);
  if (!result && !exchange.responded()) co_return co_await exchange.respond(problem(result.error()));
  co_return result;
}

io::Task<Result<void>> Api::route(Exchange& exchange) {
  const Request& request = exchange.request();
  // Before anything is done, and before 100 Continue.
  if (Status fits = exchange.check_body(); !fits.ok()) co_return fail(std::move(fits));
  RouteMatch match = match_route(request.method, request.path);
  if (match.route) {
    if (match.route->right >= Right::kAdmin) CO_TRY(check_admin(exchange.peer(), options_.owner_uid));
    co_return co_await (this->*match.route->answer)(exchange, std::move(match.argument));
  }
  if (match.allowed.empty())
    co_return co_await exchange.respond(problem(404, fmt::format("no such resource: {}", request.path)));
  Response response =
      problem(405, fmt::format("{} is not for {}, but {}", request.method, request.path, match.allowed));
  response.headers.emplace_back("Allow", std::move(match.allowed));
  co_return co_await exchange.respond(std::move(response));
}

}  // namespace firn::http
