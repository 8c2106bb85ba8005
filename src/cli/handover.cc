#include "cli/handover.h"

#include "base/log.h"

namespace firn::cli {

void Handover::start(io::ReactorPool& reactors) {
  for (unsigned i = 0; i < reactors.size(); ++i)
    io::block_on(reactors.reactor(i), [](Handover* self, io::UringReactor* reactor) -> io::Task<void> {
      reactor->set_submit_hook([self] { self->look(); });
      co_return;
    }(this, &reactors.reactor(i)));
}

// Runs before the replies that are due go to the kernel: what a caller was told survives the death of this process.
void Handover::look() {
  (void)engine_.flush_to_os();  // a failure is the next commit's, and logged below
  if (engine_.last_version() == flushed_.load(std::memory_order_relaxed)) return;
  if (scheduled_.load(std::memory_order_relaxed) || scheduled_.exchange(true)) return;
  if (io::Gate::Entry entry = gate_.enter()) io::detach(flush_later(std::move(entry)));
}

io::Task<void> Handover::flush_later(io::Gate::Entry entry) {
  co_await io::sleep_for(interval_ns_, &token_);
  const kv::Version version = engine_.last_version();
  note_synced(io::Reactor::current()->clock().monotonic_ns());
  const Result<void> flushed = co_await pool_.run([this] { return engine_.flush_to_os(); });
  if (!flushed && !failing_.exchange(true)) log::error("the log cannot be written: {}", flushed.error().to_string());
  // After a failure only newer commits bring another attempt; the engine refuses them by itself.
  flushed_.store(version);
  scheduled_.store(false);
}

void Handover::note_synced(int64_t now_ns) {
  const kv::Version synced = engine_.synced_version();
  if (oldest_unsynced_ != 0 && synced >= oldest_unsynced_) oldest_unsynced_ = 0;
  const kv::Version last = engine_.last_version();
  if (oldest_unsynced_ == 0 && last > synced) {
    oldest_since_ns_ = now_ns;
    oldest_unsynced_ = last;
  }
}

int64_t Handover::unsynced_age_ns() const {
  const kv::Version oldest = oldest_unsynced_;
  if (oldest == 0 || engine_.synced_version() >= oldest) return 0;
  return system_clock().monotonic_ns() - oldest_since_ns_;
}

io::Task<void> Handover::stop() {
  token_.cancel();
  co_await gate_.close();
}

}  // namespace firn::cli
