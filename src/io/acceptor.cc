#include "io/acceptor.h"

#include "base/log.h"
#include "io/block_on.h"

namespace firn::io {

void Acceptor::start(std::unique_ptr<Listener> listener) {
  listener_ = std::move(listener);
  if (options_.reactors.empty()) options_.reactors.push_back(Reactor::current());
  detach(accept_loop(gate_.enter()));
}

Task<void> Acceptor::stop() {
  stopping_.cancel();
  co_await gate_.close();
  listener_.reset();
}

Task<void> Acceptor::accept_loop(Gate::Entry) {
  constexpr int64_t kPauseNs = 100'000'000;
  while (!stopping_.cancelled()) {
    Result<std::unique_ptr<Socket>> socket = co_await listener_->accept({.deadline_ns = 0, .token = &stopping_});
    if (stopping_.cancelled()) break;
    if (!socket) {
      // Out of descriptors or memory: the connection waits in the kernel meanwhile.
      log::warning("{}: accept: {}", options_.name, socket.error().to_string());
      co_await sleep_for(kPauseNs, &stopping_);
      continue;
    }
    if (Gate::Entry connection = gate_.enter())
      detach_on(next_reactor(), options_.serve(*std::move(socket), std::move(connection)));
  }
}

}  // namespace firn::io
