#include "http/server.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/metrics.h"
#include "http/access_record.h"
#include "http/request_metrics.h"
#include "io/tcp_address.h"

namespace firn::http {
namespace {

metrics::Gauge& open_connections() {
  static metrics::Gauge& gauge =
      metrics::process_registry().gauge("firn_http_connections", "Connections of HTTP clients.");
  return gauge;
}

metrics::Gauge& in_flight() {
  static metrics::Gauge& gauge =
      metrics::process_registry().gauge("firn_http_requests_in_flight", "HTTP requests that are not answered yet.");
  return gauge;
}

Response response_to_bad_head(const Status& status) {
  if (status == Code::kArgumentTooBig) return problem(431, status.to_string());
  if (status == Code::kTimedOut) return problem(408, "the request's head did not come in time");
  return problem(status == Code::kNotSupported ? 501 : 400, status.to_string());
}

metrics::Counter& refused_connections() {
  static metrics::Counter& counter = metrics::process_registry().counter(
      "firn_http_refused_connections_total", "Connections of HTTP clients that were one too many.");
  return counter;
}

// nullopt: no TCP connection.
std::optional<io::TcpAddress> address_of(int fd) {
  const Result<io::TcpAddress> address = fd < 0 ? fail(Code::kNotSupported) : io::peer_address_of(fd);
  return address ? std::optional(*address) : std::nullopt;
}

// What connections are counted by; a proxy on this machine may have many.
std::string counted_address(const std::optional<io::TcpAddress>& address) {
  return address && !address->loopback() ? address->host : "";
}

// Reads away for a moment what still comes: closed at once, the kernel would answer it with a reset, which can overtake
// the response (RFC 9112 section 9.6).
io::Task<void> linger(io::Socket& socket, io::CancelToken* token) {
  constexpr int64_t kLingerNs = 1'000'000'000;
  socket.shutdown(io::Socket::Side::kSend);
  const io::Until until = io::within(kLingerNs, token);
  std::vector<std::byte> unread(16 << 10);
  for (;;) {
    const Result<size_t> bytes = co_await socket.recv(unread, until);
    if (!bytes || *bytes == 0) co_return;
  }
}

// A wish that this server does not know must not be passed over (RFC 9110 10.1.1).
bool expects_the_unknown(const Request& request) {
  const auto expect = request.header("expect");
  return expect && !expects_continue(request);
}

}  // namespace

Server::Server(Options options)
    : options_(std::move(options)),
      acceptor_({.name = "http",
                 .reactors = options_.reactors,
                 .serve = [this](std::unique_ptr<io::Socket> socket, io::Gate::Entry entry) {
                   return serve_entered(std::move(socket), std::move(entry));
                 }}) {
  if (!options_.counts) options_.counts = std::make_shared<io::ConnectionCounts>(io::ConnectionCounts::Limits{});
}

void Server::start(std::unique_ptr<io::Listener> listener) { acceptor_.start(std::move(listener)); }

io::Task<void> Server::stop() {
  closing_.cancel();
  io::CancelToken drained;
  io::Gate waiting;
  io::detach(cut_off_late(&drained, waiting.enter()));
  co_await acceptor_.stop();
  drained.cancel();
  co_await waiting.close();
}

io::Task<void> Server::cut_off_late(io::CancelToken* drained, io::Gate::Entry) {
  if (co_await io::sleep_for(options_.limits.drain_timeout_ns, drained)) cut_.cancel();
}

io::Task<void> Server::serve_entered(std::unique_ptr<io::Socket> socket, io::Gate::Entry entry) {
  const int fd = socket->fd();
  const std::optional<io::TcpAddress> address = address_of(fd);
  const io::ConnectionCounts::Place place = options_.counts->enter(counted_address(address));
  if (!place) {
    // Where TLS is spoken, a shake of hands is what there is too much of.
    refused_connections().add();
    if (!options_.secure) co_await refuse_connection(*socket);
    co_return;
  }
  Peer peer = options_.identify(fd);
  if (address) peer.client = address->host;
  if (options_.secure) {
    const io::Until until = io::within(options_.limits.head_timeout_ns, &closing_);
    Result<std::unique_ptr<io::Socket>> secured = co_await options_.secure(std::move(socket), until);
    if (!secured) {
      log::debug("http: {}: {}", peer.client, secured.error().to_string());
      co_return;
    }
    socket = *std::move(secured);
  }
  open_connections().add(1);
  co_await serve(std::move(socket), std::move(peer));
  open_connections().add(-1);
}

io::Task<void> Server::serve(std::unique_ptr<io::Socket> socket, Peer peer) {
  Inbox inbox;
  while (!closing_.cancelled() && co_await serve_one(*socket, inbox, peer)) {
  }
  socket->shutdown(io::Socket::Side::kBoth);
}

io::Task<Status> Server::read_head(io::Socket& socket, Inbox& inbox, Parser& parser) {
  // A client that trickles its head byte by byte gets no more time than one that is silent.
  bool begun = !inbox.pending().empty();
  io::Until until = begun ? io::within(options_.limits.head_timeout_ns, &cut_)
                          : io::within(options_.limits.idle_timeout_ns, &closing_);
  for (;;) {
    inbox.consume(CO_TRY(parser.feed_head(inbox.pending())));
    if (parser.head_done()) co_return Status();
    if (inbox.pending().size() > kMaxHeadBytes) co_return Status(Code::kArgumentTooBig, "the header is too large");
    Result<bool> more = co_await inbox.fill(socket, until);
    if (!more && !begun) co_return Status(Code::kUnavailable);  // idle for long: closed without a word
    if (!CO_TRY(std::move(more)))
      co_return begun ? Status(Code::kInvalid, "the head is incomplete") : Status(Code::kUnavailable);
    if (!begun) until = io::within(options_.limits.head_timeout_ns, &cut_);
    begun = true;
  }
}

io::Task<void> Server::refuse(io::Socket& socket, Response response) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", response.status,
                                 reason_of(response.status), response.content_type, response.body.size());
  for (const auto& [name, value] : response.headers) text += fmt::format("{}: {}\r\n", name, value);
  text += "Connection: close\r\n\r\n" + response.body;
  // The connection ends whether or not this arrives.
  (void)co_await socket.send(std::as_bytes(std::span(text)), io::within(1'000'000'000, &cut_));
}

io::Task<void> Server::refuse_connection(io::Socket& socket) {
  constexpr unsigned kMostLingering = 16;  // what is refused must not fill the house
  Response response = problem(503, "too many connections; try again");
  response.headers.emplace_back("Retry-After", "1");
  const bool lingers = refusing_.fetch_add(1) < kMostLingering;
  co_await refuse(socket, std::move(response));
  if (lingers) co_await linger(socket, &cut_);
  refusing_.fetch_sub(1);
}

// True when the connection can serve another request.
io::Task<bool> Server::serve_one(io::Socket& socket, Inbox& inbox, const Peer& peer) {
  Parser parser(Parser::Kind::kRequest);
  Status status = co_await read_head(socket, inbox, parser);
  if (status == Code::kUnavailable || status == Code::kInterrupted) co_return false;
  Request request;
  if (status.ok()) status = parser.request(request);
  if (!status.ok()) {
    Response response = response_to_bad_head(status);
    count_malformed_request(response.status);
    co_await refuse(socket, std::move(response));
    co_await linger(socket, &cut_);
    co_return false;
  }
  if (expects_the_unknown(request)) {
    count_malformed_request(417);
    co_await refuse(socket, problem(417, "the only expectation that is met here is 100-continue"));
    co_await linger(socket, &cut_);
    co_return false;
  }
  Clock& clock = io::Reactor::current()->clock();
  const int64_t started_ns = clock.monotonic_ns();
  Exchange exchange({socket, inbox, parser, options_.limits, &cut_, &closing_}, std::move(request), peer);
  in_flight().add(1);
  const Result<void> handled = co_await options_.handler(exchange);
  if (!handled && !exchange.responded()) (void)co_await exchange.respond(problem(handled.error()));
  in_flight().add(-1);
  count_request({.method = exchange.request().method,
                 .path = exchange.request().path,
                 .status = exchange.status(),
                 .received_bytes = exchange.read_bytes(),
                 .sent_bytes = exchange.written_bytes(),
                 .took_ns = clock.monotonic_ns() - started_ns});
  if (options_.access_log && options_.access_log->wanted()) [[unlikely]]
    log_access(*options_.access_log, exchange, started_ns);
  if (exchange.keep_alive() && co_await exchange.drain()) co_return true;
  co_await linger(socket, &cut_);
  co_return false;
}

}  // namespace firn::http
