// http::Server: accepts connections and hands each request to one handler.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "http/exchange.h"
#include "io/acceptor.h"
#include "io/connection_counts.h"
#include "io/socket.h"
#include "io/sync.h"
#include "vfs/access_log.h"

namespace firn::http {

// Answers one request. A failure is sent as a problem if nothing was sent yet, and ends the connection otherwise.
using Handler = std::function<io::Task<Result<void>>(Exchange&)>;

// start() and stop() run on one reactor, connections and handlers on all that there are.
class Server {
 public:
  struct Options {
    Handler handler;
    Limits limits;
    // Who is at the other end of an accepted descriptor, as far as the connection itself tells.
    std::function<Peer(int fd)> identify = peer_of;
    // Makes the connection that is spoken on out of the accepted one (TLS). May be empty.
    std::function<io::Task<Result<std::unique_ptr<io::Socket>>>(std::unique_ptr<io::Socket>, io::Until)> secure = {};
    // Shared with other servers; null: this one's own, with the defaults.
    std::shared_ptr<io::ConnectionCounts> counts = {};
    std::vector<io::Reactor*> reactors = {};  // for connections, in turn; none: the one of start()
    vfs::AccessLog* access_log = nullptr;     // outlives the server; null: none
  };
  explicit Server(Options options);

  // Accepts in the background until stop().
  void start(std::unique_ptr<io::Listener> listener);
  // Takes nothing new, lets requests that have begun end within Limits::drain_timeout_ns, cuts off the rest, and
  // returns when the last connection is gone.
  io::Task<void> stop();

  // Serves one connection to its end; for start() and for tests.
  io::Task<void> serve(std::unique_ptr<io::Socket> socket, Peer peer);

 private:
  io::Task<void> serve_entered(std::unique_ptr<io::Socket> socket, io::Gate::Entry entry);
  io::Task<void> cut_off_late(io::CancelToken* drained, io::Gate::Entry entry);
  io::Task<bool> serve_one(io::Socket& socket, Inbox& inbox, const Peer& peer);
  io::Task<Status> read_head(io::Socket& socket, Inbox& inbox, Parser& parser);
  io::Task<void> refuse(io::Socket& socket, Response response);
  io::Task<void> refuse_connection(io::Socket& socket);

  Options options_;
  io::Acceptor acceptor_;
  io::CancelToken closing_;  // nothing new begins
  io::CancelToken cut_;      // what has begun ends, too
  std::atomic<unsigned> refusing_ = 0;
};

}  // namespace firn::http
