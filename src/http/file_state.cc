#include "http/file_state.h"

#include "io/reactor.h"

namespace firn::http {

io::Task<Result<FileState>> state_of(vfs::Volume& volume, InodeId inode) {
  constexpr int64_t kStepNs = 1'000'000;
  constexpr int kSteps = 25;  // a tick has 10 ms at most
  FileState state;
  for (int step = 0; step <= kSteps && !state.settled; ++step) {
    if (step > 0) co_await io::sleep_for(kStepNs);
    state.seen = io::Reactor::current()->clock().now();
    state.attr = CO_TRY(co_await volume.getattr(inode));
    state.settled = is_settled(state.attr, state.seen);
  }
  co_return state;
}

Response failed_condition() { return problem(412, "a condition of the request does not hold for what is there now"); }

}  // namespace firn::http
