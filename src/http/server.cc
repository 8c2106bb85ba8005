#include "http/server.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/metrics.h"

namespace firn::http {
namespace {

metrics::Counter& requests_total() {
  static metrics::Counter& counter =
      metrics::process_registry().counter("firn_http_requests_total", "HTTP requests, malformed ones included.");
  return counter;
}

metrics::Histogram& request_time() {
  static metrics::Histogram& histogram = metrics::process_registry().histogram(
      "firn_http_request_ns", "Time from a request's head to its response's end.");
  return histogram;
}

Response response_to_bad_head(const Status& status) {
  if (status == Code::kArgumentTooBig) return problem(431, status.to_string());
  if (status == Code::kTimedOut) return problem(408, "the request's head did not come in time");
  return problem(400, status.to_string());
}

}  // namespace

void Server::start(std::unique_ptr<io::Listener> listener) {
  listener_ = std::move(listener);
  io::detach(accept_loop(gate_.enter()));
}

io::Task<void> Server::stop() {
  token_.cancel();
  co_await gate_.close();
  listener_.reset();
}

io::Task<void> Server::accept_loop(io::Gate::Entry entry) {
  while (!token_.cancelled()) {
    Result<std::unique_ptr<io::Socket>> socket = co_await listener_->accept({.deadline_ns = 0, .token = &token_});
    if (token_.cancelled()) break;
    if (!socket) {
      // Out of descriptors or memory: the connection waits in the kernel meanwhile.
      log::warning("http: accept: {}", socket.error().to_string());
      co_await io::sleep_for(100'000'000, &token_);
      continue;
    }
    if (io::Gate::Entry connection = gate_.enter())
      io::detach(serve_entered(*std::move(socket), std::move(connection)));
  }
}

io::Task<void> Server::serve_entered(std::unique_ptr<io::Socket> socket, io::Gate::Entry entry) {
  if (connections_ >= options_.limits.connections) {
    co_await refuse(*socket, problem(503, "too many connections; try again"));
    co_return;
  }
  ++connections_;
  const int fd = socket->fd();
  co_await serve(std::move(socket), peer_of(fd));
  --connections_;
}

io::Task<void> Server::serve(std::unique_ptr<io::Socket> socket, Peer peer) {
  Inbox inbox;
  while (!token_.cancelled() && co_await serve_one(*socket, inbox, peer)) {
  }
  socket->shutdown(io::Socket::Side::kBoth);
}

io::Task<Status> Server::read_head(io::Socket& socket, Inbox& inbox, Parser& parser) {
  // A client that trickles its head byte by byte gets no more time than one that is silent.
  io::Until until =
      io::within(inbox.pending().empty() ? options_.limits.idle_timeout_ns : options_.limits.head_timeout_ns, &token_);
  bool begun = !inbox.pending().empty();
  for (;;) {
    inbox.consume(CO_TRY(parser.feed_head(inbox.pending())));
    if (parser.head_done()) co_return Status();
    if (inbox.pending().size() > kMaxHeadBytes) co_return Status(Code::kArgumentTooBig, "the header is too large");
    Result<bool> more = co_await inbox.fill(socket, until);
    if (!more && !begun) co_return Status(Code::kUnavailable);  // idle for long: closed without a word
    if (!CO_TRY(std::move(more)))
      co_return begun ? Status(Code::kInvalid, "the head is incomplete") : Status(Code::kUnavailable);
    if (!begun) until = io::within(options_.limits.head_timeout_ns, &token_);
    begun = true;
  }
}

io::Task<void> Server::refuse(io::Socket& socket, Response response) {
  const std::string text = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", response.status,
      reason_of(response.status), response.content_type, response.body.size(), response.body);
  // The connection ends whether or not this arrives.
  (void)co_await socket.send(std::as_bytes(std::span(text)), io::within(1'000'000'000, &token_));
}

// True when the connection can serve another request.
io::Task<bool> Server::serve_one(io::Socket& socket, Inbox& inbox, const Peer& peer) {
  Parser parser(Parser::Kind::kRequest);
  Status status = co_await read_head(socket, inbox, parser);
  if (status == Code::kUnavailable || status == Code::kInterrupted) co_return false;
  requests_total().add();
  Request request;
  if (status.ok()) status = parser.request(request);
  if (!status.ok()) {
    co_await refuse(socket, response_to_bad_head(status));
    co_return false;
  }
  Clock& clock = io::Reactor::current()->clock();
  const int64_t started_ns = clock.monotonic_ns();
  Exchange exchange({socket, inbox, parser, options_.limits, &token_}, std::move(request), peer);
  const Result<void> handled = co_await options_.handler(exchange);
  if (!handled && !exchange.responded()) (void)co_await exchange.respond(problem(handled.error()));
  request_time().record(static_cast<uint64_t>(clock.monotonic_ns() - started_ns));
  co_return exchange.keep_alive() && co_await exchange.drain();
}

}  // namespace firn::http
