#include "nfs/server.h"

#include "base/log.h"
#include "base/metrics.h"
#include "io/tcp_address.h"
#include "nfs/reply_sender.h"

namespace firn::nfs {
namespace {

metrics::Gauge& open_connections() {
  static metrics::Gauge& gauge =
      metrics::process_registry().gauge("firn_nfs_connections", "Connections of NFS clients.");
  return gauge;
}

metrics::Counter& refused_connections() {
  static metrics::Counter& counter = metrics::process_registry().counter(
      "firn_nfs_refused_connections_total", "Connections of NFS clients that were one too many.");
  return counter;
}

Result<Peer> peer_of(const io::Socket& socket) {
  const io::TcpAddress address = TRY(io::peer_address_of(socket.fd()));
  const std::optional<Address> parsed = parse_address(address.host);
  if (!parsed) return fail(Code::kInvalid, address.host + ": not a numeric address");
  return Peer{.address = *parsed, .port = address.port, .name = address.host};
}

}  // namespace

struct Server::Connection {
  Connection(io::Socket& connected, const Peer& other, const ServerLimits& limits, io::CancelToken* token)
      : socket(connected),
        peer(other),
        free_calls(limits.calls_of_connection),
        replies(connected, limits.send_timeout_ns, token) {}

  io::Socket& socket;
  const Peer& peer;
  io::Semaphore free_calls;
  ReplySender replies;
  io::Gate answering;
  size_t calls = 0;      // being answered
  bool no_call = false;  // a record was no call: the connection is to end
};

Server::Server(Options options)
    : options_(std::move(options)),
      acceptor_(
          {.name = "nfs",
           .reactors = options_.reactors,
           .serve = [this](std::unique_ptr<io::Socket> socket,
                           io::Gate::Entry entry) { return serve_entered(std::move(socket), std::move(entry)); }}),
      calls_(options_.limits.calls),
      connections_(
          {.connections = options_.limits.connections, .per_address = options_.limits.connections_per_address}) {}

void Server::start(std::unique_ptr<io::Listener> listener) { acceptor_.start(std::move(listener)); }

io::Task<void> Server::end_drain() {
  const io::Gate::Entry entry = drain_gate_.enter();
  if (co_await io::sleep_for(options_.limits.drain_ns, &drained_)) sending_.cancel();
}

io::Task<void> Server::stop() {
  reading_.cancel();
  io::detach(end_drain());
  co_await acceptor_.stop();
  drained_.cancel();
  co_await drain_gate_.close();
}

io::Task<void> Server::serve_entered(std::unique_ptr<io::Socket> socket, io::Gate::Entry entry) {
  Result<Peer> peer = peer_of(*socket);
  if (!peer) co_return;  // gone already
  const io::ConnectionCounts::Place place = connections_.enter(peer->name);
  if (!place) {
    refused_connections().add();
    const bool of_address = place.full() == io::ConnectionCounts::Full::kOfAddress;
    log::warning("nfs: {}: refused, there are {} connections{}", peer->name,
                 of_address ? options_.limits.connections_per_address : options_.limits.connections,
                 of_address ? " from there" : "");
    co_return;
  }
  open_connections().add(1);
  co_await serve(std::move(socket), *std::move(peer));
  open_connections().add(-1);
}

io::Task<void> Server::serve(std::unique_ptr<io::Socket> socket, Peer peer) {
  Connection connection(*socket, peer, options_.limits, &sending_);
  const Status ended = co_await read_calls(connection);
  if (ended == Code::kInvalid || ended == Code::kTimedOut)
    log::warning("nfs: {}: {}; the connection is closed", peer.name, ended.to_string());
  co_await connection.answering.close();
  socket->shutdown(io::Socket::Side::kBoth);
}

// Until the peer leaves, or what it sends makes no sense.
io::Task<Status> Server::read_calls(Connection& connection) {
  RecordReader reader(connection.socket, options_.limits.record, &reading_);
  for (;;) {
    std::optional<Record> record = CO_TRY(co_await reader.next());
    if (connection.no_call) co_return Status(Code::kInvalid, "what came is not a call");
    if (!record) co_return Status();
    co_await connection.free_calls.acquire();
    co_await calls_.acquire();
    const Waiting waiting = ++connection.calls > 1 || reader.has_more() ? Waiting::kBusy : Waiting::kIdle;
    io::detach(answer(connection, *std::move(record), waiting, connection.answering.enter()));
  }
}

io::Task<void> Server::answer(Connection& connection, Record record, Waiting waiting, io::Gate::Entry entry) {
  std::optional<Reply> reply = co_await options_.service.answer(record.view(), connection.peer, waiting);
  record.bytes.reset();
  if (reply) {
    if (!co_await connection.replies.send(*reply)) connection.socket.shutdown(io::Socket::Side::kBoth);
  } else {
    connection.no_call = true;
    connection.socket.shutdown(io::Socket::Side::kReceive);
  }
  reply.reset();
  --connection.calls;
  calls_.release();
  connection.free_calls.release();
}

}  // namespace firn::nfs
