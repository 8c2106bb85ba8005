// The routes for the one who runs the daemon: status, metrics, admin.
#include <fmt/format.h>

#include "base/log.h"
#include "http/api.h"

namespace firn::http {

io::Task<Result<void>> Api::status(Exchange& exchange) {
  Response response;
  response.body = co_await options_.status();
  co_return co_await exchange.respond(std::move(response));
}

io::Task<Result<void>> Api::show_metrics(Exchange& exchange) {
  const bool json = exchange.request().parameter("format") == "json";
  const metrics::Samples samples = options_.samples ? co_await options_.samples() : metrics::Samples();
  Response response;
  response.content_type = json ? "application/json" : "text/plain; version=0.0.4; charset=utf-8";
  response.body = json ? options_.metrics.json(samples) : options_.metrics.prometheus(samples);
  co_return co_await exchange.respond(std::move(response));
}

io::Task<Result<void>> Api::admin(Exchange& exchange, std::string_view what) {
  CO_TRY(check_admin(exchange.peer(), options_.owner_uid));
  if (what == "stop") {
    options_.stop();
  } else if (what == "sync") {
    CO_TRY(co_await options_.volume.sync_all());
  } else if (what == "log") {
    const std::string level = CO_TRY(parameter(exchange.request(), "level"));
    log::set_level(CO_TRY(log::parse_level(level)));
  } else {
    co_return co_await exchange.respond(problem(404, fmt::format("no such resource: /v1/admin/{}", what)));
  }
  co_return co_await exchange.respond({204, "", "", {}});
}

}  // namespace firn::http
