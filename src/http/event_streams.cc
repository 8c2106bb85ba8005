#include "http/event_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>

#include "base/metrics.h"
#include "http/event_view.h"
#include "http/json.h"
#include "io/reactor.h"

namespace firn::http {

namespace {

constexpr int64_t kTickNs = 50'000'000;
constexpr int64_t kKeepAliveNs = 15'000'000'000;
constexpr int64_t kLongestNs = 600'000'000'000;
constexpr size_t kPage = 256;
constexpr int kRetryMs = 2000;

metrics::Gauge& open_streams() {
  static metrics::Gauge& gauge =
      metrics::process_registry().gauge("firn_event_streams", "Clients that follow the changes of the namespace.");
  return gauge;
}

metrics::Counter& sent_total() {
  static metrics::Counter& counter = metrics::process_registry().counter(
      "firn_events_sent_total", "Changes of the namespace that were told, once for each client.");
  return counter;
}

io::Task<Result<void>> write(Exchange& exchange, std::string text) {
  co_return co_await exchange.write(std::as_bytes(std::span(text)));
}

}  // namespace

struct EventStreams::Stream {
  Exchange& exchange;
  const Query& query;
  std::atomic<uint64_t> seen = 0;
  std::shared_ptr<io::CancelToken> wake;  // while it waits
};

Response cursor_expired(const EventStreams& streams, uint64_t oldest, std::string_view why) {
  Response response = problem(410, why);
  nlohmann::json body = nlohmann::json::parse(response.body);
  body["oldest"] = streams.cursor_at(oldest - 1).text();
  response.body = dump_json(body);
  return response;
}

io::Task<Result<void>> EventStreams::answer(Exchange& exchange, Query query) {
  Stream stream{.exchange = exchange, .query = query, .seen = query.after};
  if (!add(stream)) {
    Response busy = problem(503, "as many as may follow already do (events.streams); try again later");
    busy.headers.emplace_back("Retry-After", "10");
    co_return co_await exchange.respond(std::move(busy));
  }
  open_streams().add(1);
  const Result<void> done = co_await run(stream);
  open_streams().add(-1);
  remove(stream);
  co_return done;
}

bool EventStreams::add(Stream& stream) {
  std::unique_lock lock(streams_mutex_);
  if (streams_.size() >= most_) return false;
  streams_.push_back(&stream);
  const bool ticks = std::exchange(ticking_, true);
  lock.unlock();
  if (!ticks) io::detach(tick(gate_.enter()));
  return true;
}

void EventStreams::remove(Stream& stream) {
  std::lock_guard lock(streams_mutex_);
  std::erase(streams_, &stream);
}

io::Task<Result<void>> EventStreams::run(Stream& stream) {
  Exchange& exchange = stream.exchange;
  CO_TRY(co_await exchange.begin(
      200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}},
      std::nullopt));
  if (exchange.request().method == "HEAD") co_return co_await exchange.end();
  // A client has a cursor before it has seen an event.
  CO_TRY(co_await write(exchange, fmt::format("retry: {}\nid: {}\n\n", kRetryMs, cursor_at(stream.seen).text())));
  Clock& clock = io::Reactor::current()->clock();
  const int64_t end_ns = clock.monotonic_ns() + kLongestNs;
  const uint64_t target = log_.durable();
  while (!exchange.closing().cancelled() && clock.monotonic_ns() < end_ns) {
    Result<Page> page = co_await read(stream, stream.query.follow ? log_.durable() : target);
    if (!page && page.error() == Code::kStale) co_return co_await say_expired(exchange);
    if (!page) co_return fail(std::move(page).error());
    if (!page->text.empty()) CO_TRY(co_await write(exchange, std::move(page->text)));
    stream.seen = page->last;
    if (page->more) {
      co_await io::yield();
    } else if (!stream.query.follow) {
      break;
    } else if (!CO_TRY(co_await wait(stream))) {
      CO_TRY(co_await write(exchange, fmt::format(": still here\nid: {}\n\n", cursor_at(stream.seen).text())));
    }
  }
  co_return co_await exchange.end();
}

io::Task<Result<EventStreams::Page>> EventStreams::read(const Stream& stream, uint64_t through) {
  Page page{.text = {}, .last = stream.seen};
  if (stream.seen >= through) co_return page;
  const auto guard = co_await paths_mutex_.lock();
  const auto transaction = log_.engine().begin();
  const auto events = CO_TRY(co_await log_.read(*transaction, stream.seen, through, kPage));
  page.more = events.size() == kPage;
  page.last = page.more ? events.back().sequence : through;
  CO_TRY(co_await paths_.catch_up(*transaction));
  for (const auto& [sequence, event] : events) {
    PlacedEvent placed{
        .event = event, .at = CO_TRY(co_await paths_.path_of(*transaction, event.at, sequence)), .from = {}};
    if (event.from.parent) placed.from = CO_TRY(co_await paths_.path_of(*transaction, event.from, sequence));
    const std::string cursor = cursor_at(sequence).text();
    const auto shown = show_event(placed, stream.query.folder, cursor);
    if (!shown) continue;
    page.text += fmt::format("id: {}\ndata: {}\n\n", cursor, *shown);
    sent_total().add();
  }
  co_return page;
}

// False: nothing has come for a while.
io::Task<Result<bool>> EventStreams::wait(Stream& stream) {
  const auto wake = std::make_shared<io::CancelToken>();
  {
    std::lock_guard lock(streams_mutex_);
    stream.wake = wake;
  }
  const bool quiet = co_await io::sleep_for(kKeepAliveNs, wake.get());
  std::lock_guard lock(streams_mutex_);
  stream.wake = nullptr;
  co_return !quiet;
}

io::Task<Result<void>> EventStreams::say_expired(Exchange& exchange) {
  const Response expired = cursor_expired(*this, log_.oldest(), "the client is slower than what is kept: list again");
  CO_TRY(co_await write(exchange, fmt::format("event: expired\ndata: {}\n\n", expired.body)));
  co_return co_await exchange.end();
}

io::Task<void> EventStreams::tick(io::Gate::Entry) {
  do {
    co_await io::sleep_for(kTickNs);
    log_.look();
  } while (wake_streams());
}

bool EventStreams::wake_streams() {
  const uint64_t durable = log_.durable();
  std::vector<std::shared_ptr<io::CancelToken>> awake;
  {
    std::lock_guard lock(streams_mutex_);
    ticking_ = !streams_.empty();
    if (!ticking_) return false;
    for (Stream* stream : streams_)
      if (stream->wake && (stream->seen < durable || stream->exchange.closing().cancelled()))
        awake.push_back(std::exchange(stream->wake, nullptr));
  }
  for (const auto& token : awake) token->cancel();
  return true;
}

io::Task<void> EventStreams::stop() { co_await gate_.close(); }

}  // namespace firn::http
