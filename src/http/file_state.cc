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
    const Result<vfs::Attr> attr = co_await volume.getattr(inode);
    if (!attr && attr.error() == Code::kStale && step > 0) co_return state;  // gone while it was waited for
    state.attr = CO_TRY(attr);
    state.settled = is_settled(state.attr, state.seen);
  }
  co_return state;
}

io::Task<bool> Retry::after(const Status& failure) {
  constexpr int64_t kStepNs = 10'000'000, kPatienceNs = 5'000'000'000;
  constexpr int kTries = 1000;
  if (failure == Code::kStale) co_return ++overtaken_ < kTries;
  if (failure != Code::kBusy || waited_ns_ >= kPatienceNs) co_return false;
  waited_ns_ += kStepNs;
  co_return co_await io::sleep_for(kStepNs);
}

Response failed_condition() { return problem(412, "a condition of the request does not hold for what is there now"); }

}  // namespace firn::http
