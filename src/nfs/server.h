// nfs::Server: accepts connections, reads records, and sends the replies to each as they become ready.
#pragma once

#include <memory>
#include <vector>

#include "io/acceptor.h"
#include "io/connection_counts.h"
#include "io/socket.h"
#include "io/sync.h"
#include "nfs/rpc_record.h"
#include "nfs/service.h"

namespace firn::nfs {

struct ServerLimits {
  unsigned connections = 256;
  unsigned connections_per_address = 128;
  size_t calls = 512;               // being answered at once, with what they carry and what they are answered
  size_t calls_of_connection = 64;  // likewise; what comes beyond it waits in the network
  RecordLimits record = {.record_bytes = kMaxTransferBytes + 4096,
                         .idle_timeout_ns = 600'000'000'000,
                         .record_timeout_ns = 60'000'000'000};
  int64_t send_timeout_ns = 60'000'000'000;  // of one reply
  int64_t drain_ns = 2'000'000'000;          // how long stop() lets replies go out
};

// start() and stop() run on one reactor, connections on all that there are.
class Server {
 public:
  struct Options {
    Service& service;
    std::vector<io::Reactor*> reactors;  // for connections, in turn; none: the one of start()
    ServerLimits limits;
  };
  explicit Server(Options options);

  // Accepts in the background until stop().
  void start(std::unique_ptr<io::Listener> listener);
  // Accepts and reads no more, answers what was read, and returns when the last connection is gone.
  io::Task<void> stop();

  // Serves one connection to its end; for start() and for tests.
  io::Task<void> serve(std::unique_ptr<io::Socket> socket, Peer peer);

 private:
  struct Connection;

  io::Task<void> serve_entered(std::unique_ptr<io::Socket> socket, io::Gate::Entry entry);
  io::Task<Status> read_calls(Connection& connection);
  io::Task<void> answer(Connection& connection, Record record, Waiting waiting, io::Gate::Entry entry);
  io::Task<void> end_drain();

  const Options options_;
  io::Acceptor acceptor_;
  io::CancelToken reading_;  // cancelled: no more calls are taken
  io::CancelToken sending_;  // cancelled: replies are not waited for either
  io::CancelToken drained_;
  io::Gate drain_gate_;
  io::Semaphore calls_;
  io::ConnectionCounts connections_;
};

}  // namespace firn::nfs
