// io::Acceptor: takes connections from a listener and hands them to reactors in turn.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/cancel.h"
#include "io/socket.h"
#include "io/sync.h"

namespace firn::io {

// start() and stop() run on one reactor.
class Acceptor {
 public:
  struct Options {
    std::string name;                // of the server, for the log
    std::vector<Reactor*> reactors;  // for connections; none: the one of start()
    // Serves a connection to its end, on its reactor. The entry is a connection's until it is gone.
    std::function<Task<void>(std::unique_ptr<Socket>, Gate::Entry)> serve;
  };
  explicit Acceptor(Options options) : options_(std::move(options)) {}

  // Accepts in the background until stop().
  void start(std::unique_ptr<Listener> listener);
  // Accepts no more, and returns when the last connection is gone: to end is for whoever serves them to tell them.
  Task<void> stop();

 private:
  Task<void> accept_loop(Gate::Entry entry);
  Reactor& next_reactor() { return *options_.reactors[turn_++ % options_.reactors.size()]; }

  Options options_;
  std::unique_ptr<Listener> listener_;
  Gate gate_;
  CancelToken stopping_;
  size_t turn_ = 0;
};

}  // namespace firn::io
