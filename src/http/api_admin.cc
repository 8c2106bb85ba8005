// The routes for the one who runs the daemon: status, metrics, the document about all of them, admin.
#include "base/log.h"
#include "http/api.h"
#include "http/open_metrics.h"
#include "http/openapi.h"

namespace firn::http {
namespace {

// What a stream of the access log lasts at the most, so that a right that was withdrawn ends.
constexpr uint64_t kLongestFollowS = 600;

class OpenAccessLog {
 public:
  explicit OpenAccessLog(vfs::AccessLog& log) : log_(log), reader_(log.open()) {}
  OpenAccessLog(const OpenAccessLog&) = delete;
  OpenAccessLog& operator=(const OpenAccessLog&) = delete;
  ~OpenAccessLog() { log_.close(reader_); }

  // Returns within about a second.
  io::Task<size_t> read(std::span<std::byte> out) { return log_.read(reader_, out); }

 private:
  vfs::AccessLog& log_;
  vfs::AccessLog::Reader* const reader_;
};

}  // namespace

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
  response.headers.emplace_back("Vary", "Accept");
  response.content_type = json ? "application/json" : "text/plain; version=0.0.4; charset=utf-8";
  response.body = json ? options_.metrics.json(samples) : options_.metrics.prometheus(samples);
  if (!json && wants_open_metrics(exchange.request().header("accept").value_or(""))) {
    response.content_type = kOpenMetricsType;
    response.body = open_metrics_of(response.body);
  }
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

io::Task<Result<void>> Api::follow_access_log(Exchange& exchange, std::string) {
  constexpr int64_t kSecondNs = 1'000'000'000;
  if (!options_.access_log) co_return fail(Code::kNotSupported, "this daemon keeps no access log");
  const uint64_t seconds = CO_TRY(number_parameter(exchange.request(), "seconds", kLongestFollowS));
  if (seconds < 1 || seconds > kLongestFollowS)
    co_return fail(Code::kInvalid, "the query parameter \"seconds\" must be from 1 to 600");
  // Open before the head goes out: what is done from then on is in it.
  OpenAccessLog log(*options_.access_log);
  CO_TRY(co_await exchange.begin(200, {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}},
                                 std::nullopt));
  if (exchange.request().method == "HEAD") co_return co_await exchange.end();
  Clock& clock = io::Reactor::current()->clock();
  const int64_t end_ns = clock.monotonic_ns() + static_cast<int64_t>(seconds) * kSecondNs;
  std::vector<std::byte> buffer(256 << 10);
  while (!exchange.closing().cancelled() && clock.monotonic_ns() < end_ns) {
    const size_t bytes = co_await log.read(buffer);
    CO_TRY(co_await exchange.write(std::span(buffer).first(bytes)));
  }
  co_return co_await exchange.end();
}

io::Task<Result<void>> Api::tokens(Exchange& exchange, std::string) {
  if (!options_.tokens) co_return fail(Code::kNotFound, "there are no tokens here");
  co_return co_await options_.tokens(exchange);
}

}  // namespace firn::http
