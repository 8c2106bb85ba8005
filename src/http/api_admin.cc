// The routes for the one who runs the daemon: status, metrics, the document about all of them, admin.
#include "base/log.h"
#include "http/api.h"
#include "http/openapi.h"

namespace firn::http {

io::Task<Result<void>> Api::status(Exchange& exchange, std::string) {
  Response response;
  response.body = co_await options_.status();
  co_return co_await exchange.respond(std::move(response));
}

io::Task<Result<void>> Api::list_devices(Exchange& exchange, std::string) {
  if (!options_.devices) co_return fail(Code::kNotSupported, "this daemon does not look at the network");
  Response response;
  response.body = co_await options_.devices();
  co_return co_await exchange.respond(std::move(response));
}

io::Task<Result<void>> Api::show_metrics(Exchange& exchange, std::string) {
  const std::string_view format = exchange.request().parameter("format").value_or("text");
  const bool json = format == "json";
  if (!json && format != "text") co_return fail(Code::kInvalid, "\"format\" must be text or json");
  const metrics::Samples samples = options_.samples ? co_await options_.samples() : metrics::Samples();
  Response response;
  response.content_type = json ? "application/json" : "text/plain; version=0.0.4; charset=utf-8";
  response.body = json ? options_.metrics.json(samples) : options_.metrics.prometheus(samples);
  co_return co_await exchange.respond(std::move(response));
}

io::Task<Result<void>> Api::show_openapi(Exchange& exchange, std::string) {
  co_return co_await exchange.respond({200, "application/json", std::string(kOpenApi), {}});
}

io::Task<Result<void>> Api::stop(Exchange& exchange, std::string) {
  options_.stop();
  co_return co_await exchange.respond({204, "", "", {}});
}

io::Task<Result<void>> Api::sync(Exchange& exchange, std::string) {
  CO_TRY(co_await options_.volume.sync_all());
  co_return co_await exchange.respond({204, "", "", {}});
}

io::Task<Result<void>> Api::set_log_level(Exchange& exchange, std::string) {
  const std::string level = CO_TRY(parameter(exchange.request(), "level"));
  log::set_level(CO_TRY(log::parse_level(level)));
  co_return co_await exchange.respond({204, "", "", {}});
}

io::Task<Result<void>> Api::tokens(Exchange& exchange, std::string) {
  if (!options_.tokens) co_return fail(Code::kNotFound, "there are no tokens here");
  co_return co_await options_.tokens(exchange);
}

}  // namespace firn::http
