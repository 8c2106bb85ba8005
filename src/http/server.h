// http::Server: accepts connections and hands each request to one handler.
#pragma once

#include <functional>
#include <memory>

#include "http/exchange.h"
#include "io/socket.h"
#include "io/sync.h"

namespace firn::http {

// Answers one request. A failure is sent as a problem if nothing was sent yet, and ends the connection otherwise.
using Handler = std::function<io::Task<Result<void>>(Exchange&)>;

// Lives on one reactor: start() and stop() run there, and so do the handlers.
class Server {
 public:
  struct Options {
    Handler handler;
    Limits limits;
  };
  explicit Server(Options options) : options_(std::move(options)) {}

  // Accepts in the background until stop().
  void start(std::unique_ptr<io::Listener> listener);
  // Cancels what is waiting, lets handlers finish, and returns when the last connection is gone.
  io::Task<void> stop();

  // Serves one connection to its end; for start() and for tests.
  io::Task<void> serve(std::unique_ptr<io::Socket> socket, Peer peer);

 private:
  io::Task<void> accept_loop(io::Gate::Entry entry);
  io::Task<void> serve_entered(std::unique_ptr<io::Socket> socket, io::Gate::Entry entry);
  io::Task<bool> serve_one(io::Socket& socket, Inbox& inbox, const Peer& peer);
  io::Task<Status> read_head(io::Socket& socket, Inbox& inbox, Parser& parser);
  io::Task<void> refuse(io::Socket& socket, Response response);

  Options options_;
  std::unique_ptr<io::Listener> listener_;
  io::Gate gate_;
  io::CancelToken token_;
  unsigned connections_ = 0;
};

// Who is at the other end of a Unix socket; nobody (uid and gid 65534) where that cannot be told.
Peer peer_of(int fd);

}  // namespace firn::http
