#include "http/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/log.h"
#include "base/metrics.h"
#include "http/api.h"
#include "http/path_walk.h"
#include "io/tcp_address.h"

namespace firn::http {
namespace {

metrics::Counter& refused_total() {
  static metrics::Counter& counter = metrics::process_registry().counter(
      "firn_http_refused_total", "HTTP requests refused for want of a token, or of one that allows them.");
  return counter;
}

Response unauthorized(std::string_view detail, std::string_view challenge) {
  refused_total().add();
  Response response = problem(401, detail);
  response.headers.emplace_back("WWW-Authenticate", std::string(challenge));
  return response;
}

Response forbidden(std::string_view detail) {
  refused_total().add();
  return problem(403, detail);
}

bool only_reads(std::string_view method) { return method == "GET" || method == "HEAD" || method == "OPTIONS"; }

// "/a" of "/v1/files/a", for the routes that have a path in their own.
std::optional<std::string_view> path_in_route(std::string_view path) {
  constexpr std::string_view kPath = "/{path}";
  for (const Route& route : Api::routes()) {
    if (!route.pattern.ends_with(kPath)) continue;
    const std::string_view start = route.pattern.substr(0, route.pattern.size() - kPath.size());
    if (path.starts_with(start) && path.substr(start.size()).starts_with('/')) return path.substr(start.size());
  }
  return std::nullopt;
}

// Of what is no route, too: who may not ask is not told that there is none.
Right right_for(const Request& request) {
  if (const Route* route = match_route(request.method, request.path).route) return route->right;
  if (request.path.starts_with("/v1/admin/")) return Right::kAdmin;
  return only_reads(request.method) ? Right::kRead : Right::kWrite;
}

Status check_scope(const Peer& peer, const Request& request) {
  bool has_path = false;
  const auto outside = [&](std::string_view path) {
    has_path = true;
    return !in_scope(peer.scope, path);
  };
  const Status refusal(Code::kAccessDenied, fmt::format("this token is for {} only", peer.scope));
  if (const auto path = path_in_route(request.path); path && outside(*path)) return refusal;
  for (const auto& [name, value] : request.query)
    if ((name == "path" || name == "from" || name == "to" || name == "prefix") && outside(value)) return refusal;
  // What is about the whole volume is not for them, whatever routes there will be.
  return has_path || request.path == "/v1/openapi.json" ? Status() : refusal;
}

// A proxy on this machine speaks for somebody else.
bool was_passed_on(const Request& request) {
  return request.header("forwarded") || request.header("x-forwarded-for") || request.header("via");
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

Status check_allowed(const Peer& peer, const Request& request) {
  if (peer.right == Right::kNothing) return Status(Code::kAccessDenied, "nobody may do this without a token");
  const Right needed = right_for(request);
  if (needed == Right::kHost)
    return Status(
        Code::kNotPermitted,
        fmt::format("{} reads and writes files of the daemon's machine: it is for its Unix socket only, and not "
                    "for TCP, with a token or without",
                    request.path));
  if (peer.right == Right::kRead && !only_reads(request.method))
    return Status(Code::kAccessDenied, "this token only reads");
  if (peer.right < needed) return Status(Code::kNotPermitted, "only tokens made with --admin may do this");
  return peer.scope.empty() ? Status() : check_scope(peer, request);
}

bool names_this_machine(std::string_view host) {
  const std::string text = lower(host);
  const size_t bracket = text.find(']');
  const size_t colon = text.find(':', bracket == std::string::npos ? 0 : bracket);
  const std::string name = text.substr(0, colon);
  if (name == "localhost") return true;
  // parse_tcp_address takes an empty host, and "*", for every address.
  if (name.empty() || name == "*") return false;
  const auto address = io::parse_tcp_address(name, 0);
  return address && address->loopback();
}

bool comes_from_foreign_page(const Request& request) {
  const auto site = request.header("sec-fetch-site");
  if (site && *site != "same-origin" && *site != "none") return true;
  const auto origin = request.header("origin");
  if (!origin) return false;
  const std::string host = lower(request.header("host").value_or(""));
  const std::string from = lower(*origin);
  return host.empty() || (from != "http://" + host && from != "https://" + host);
}

io::Task<Result<void>> Access::from_unix(Exchange& exchange) { return api_(exchange); }

io::Task<Result<void>> Access::from_tcp(Exchange& exchange) {
  const Request& request = exchange.request();
  if (exchange.speaks_http_1_1() && !request.header("host"))
    co_return co_await exchange.respond(problem(400, "a request without a Host"));
  const auto authorization = request.header("authorization");
  if (authorization) {
    const auto secret = bearer_secret(*authorization);
    const int64_t now_s = io::Reactor::current()->clock().now().seconds;
    const std::optional<Token> token = secret ? tokens_.find(*secret, now_s) : std::nullopt;
    if (!token)
      co_return co_await exchange.respond(unauthorized("the token is unknown, was revoked, or has expired",
                                                       R"(Bearer realm="firn", error="invalid_token")"));
    exchange.identify(token->peer());
  } else if (exchange.peer().right == Right::kNothing) {
    co_return co_await exchange.respond(unauthorized(
        "a token is needed: Authorization: Bearer TOKEN, from firn token create", R"(Bearer realm="firn")"));
  } else if (exchange.peer().right == Right::kAdmin && !names_this_machine(request.header("host").value_or(""))) {
    co_return co_await exchange.respond(
        forbidden("who has no token must call this machine localhost, 127.0.0.1 or [::1]"));
  } else if (exchange.peer().right == Right::kAdmin && was_passed_on(request)) {
    co_return co_await exchange.respond(unauthorized("what a proxy passes on needs a token", R"(Bearer realm="firn")"));
  } else if (comes_from_foreign_page(request)) {
    co_return co_await exchange.respond(forbidden("without a token no page of another site may ask"));
  }
  if (Status allowed = check_allowed(exchange.peer(), request); !allowed.ok())
    co_return co_await exchange.respond(forbidden(allowed.message()));
  co_return co_await api_(exchange);
}

}  // namespace firn::http
