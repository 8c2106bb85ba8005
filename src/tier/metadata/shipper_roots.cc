// MetadataShipper's roots: when, and in which order with the log.
#include "base/failpoint.h"
#include "base/log.h"
#include "tier/metadata/shipper.h"

namespace firn::tier {

bool MetadataShipper::root_is_due() const {
  return waits_for_root_ || since_root_bytes_ >= options_.root_log_bytes ||
         since_root_objects_ >= options_.root_log_objects;
}

io::Task<void> MetadataShipper::run_roots(io::Gate::Entry) {
  int64_t failing_since_ns = 0;
  for (int failures = 0; !ended();) {
    if (!root_is_due()) {
      co_await root_alarm_.sleep(io::kForeverNs);
      continue;
    }
    const int64_t begun = home_->clock().monotonic_ns();
    const Result<uint64_t> done = co_await publish_here(&token_);
    note_root(done);
    if (!done && failures == 0) failing_since_ns = begun;
    failures = done ? 0 : failures + 1;
    const bool tells = !done && waits_for_root_ && done.error() != Code::kBusy;
    if (tells && home_->clock().monotonic_ns() - failing_since_ns >= options_.ack_timeout_ns)
      wake_waiters(done.error());
    if (!done && !ended()) co_await pause(failures);
    // That garbage stays for a while matters to nobody.
    if (done && !ended()) (void)co_await collect_here();
  }
}

void MetadataShipper::note_root(const Result<uint64_t>& done) {
  if (!done && !ended()) log::debug("metadata: no root: {}", done.error().to_string());
  // That the log has to break off first is no failure of the bucket's.
  if (!done && done.error() == Code::kBusy) return;
  std::lock_guard lock(state_mutex_);
  root_failure_ = done ? Status() : done.error();
}

// A root says: these tables, then the log from first_log on. That gives the state at the log's end, if
//  - the tables hold every commit that stands before first_log: they do, for the checkpoint is taken after all of
//    those were committed;
//  - the log holds every commit that the tables hold: waited for below, because they may hold newer ones. Replay puts
//    absolute values, so that going over commits again which the tables hold ends in the same state;
//  - no commit is missing from the log after first_log: a break makes this attempt void.
io::Task<Result<uint64_t>> MetadataShipper::publish_here(io::CancelToken* token) {
  const io::Gate::Entry entry = gate_.enter();
  if (!entry) co_return fail(Code::kUnavailable, "the volume's metadata is no longer shipped");
  const io::Mutex::Guard guard = co_await publish_mutex_.lock();
  if (Status why = fenced(); !why.ok()) co_return fail(std::move(why));
  if (token_.cancelled()) co_return fail(Code::kUnavailable, "the volume's metadata is no longer shipped");
  if (token->cancelled()) co_return fail(Code::kInterrupted);
  if (queue_.has_dropped()) co_return fail(Code::kBusy, "the log breaks off first");
  const uint64_t breaks = breaks_;
  const uint64_t first_log = log_.next();
  const uint64_t bytes = since_root_bytes_, objects = since_root_objects_;
  std::vector<TableRef> tables;
  std::string manifest;
  kv::Version through = 0;
  {
    const std::unique_ptr<kv::Checkpoint> checkpoint = CO_TRY(co_await source_->checkpoint());
    failpoint("root.before_tables");
    tables = CO_TRY(co_await publisher_.upload(*checkpoint, token));
    failpoint("root.after_tables");
    manifest = checkpoint->manifest();
    through = checkpoint->through();
  }
  CO_TRY(co_await wait_logged(through, breaks));
  CO_TRY(co_await publisher_.put(std::move(tables), std::move(manifest), first_log, token));
  recheck_.let_go_before(first_log);
  since_root_bytes_ -= bytes;
  since_root_objects_ -= objects;
  {
    std::lock_guard lock(state_mutex_);
    root_number_ = publisher_.root().number;
    root_seconds_ = publisher_.root().root.seconds;
  }
  // A break while the root was put: it is a good root for all that, but not the one that is waited for.
  if (breaks == breaks_) waits_for_root_ = false;
  advance();
  co_return publisher_.root().number;
}

io::Task<Result<void>> MetadataShipper::wait_logged(kv::Version version, uint64_t breaks) {
  for (;;) {
    std::shared_ptr<Progress> next;
    {
      std::lock_guard lock(state_mutex_);
      if (!ended_.ok()) co_return fail(ended_);
      if (breaks != breaks_ || queue_.has_dropped()) co_return fail(Code::kBusy, "the log broke off meanwhile");
      if (logged_ >= version) co_return Result<void>();
      wanted_ = std::max(wanted_, version);
      next = progress_;
    }
    alarm_.ring();
    co_await next->event.wait();
    if (!next->failure.ok()) co_return fail(next->failure);
  }
}

io::Task<Result<uint64_t>> MetadataShipper::collect_here() {
  const io::Gate::Entry entry = gate_.enter();
  if (!entry) co_return fail(Code::kUnavailable, "the volume's metadata is no longer shipped");
  const io::Mutex::Guard guard = co_await publish_mutex_.lock();
  const Result<uint64_t> removed = co_await collector_.pass(publisher_.root(), &token_);
  if (!removed && !ended()) log::info("metadata: not everything was removed: {}", removed.error().to_string());
  co_return removed;
}

io::Task<Result<Timestamp>> MetadataShipper::removable_until() {
  const io::Gate::Entry entry = gate_.enter();
  if (!entry) co_return fail(Code::kUnavailable, "the volume's metadata is no longer shipped");
  io::Reactor* const caller = io::Reactor::current();
  co_await io::switch_to(*home_);
  Result<Timestamp> until = Timestamp();
  {
    const io::Mutex::Guard guard = co_await publish_mutex_.lock();
    until = co_await pins_.removable_until(&token_);
  }
  co_await io::switch_to(*caller);
  co_return until;
}

io::Task<Result<uint64_t>> MetadataShipper::publish_root() {
  io::Reactor* const caller = io::Reactor::current();
  co_await io::switch_to(*home_);
  Result<uint64_t> done = co_await publish_here(&token_);
  co_await io::switch_to(*caller);
  co_return done;
}

// On home_, and beyond the call that began it: what it waits for is not all to be interrupted.
struct MetadataShipper::Replacing {
  std::vector<TableRef> damaged;
  bool root = false;
  io::CancelToken stop;  // with the caller's, and token_
  io::CancelToken over;  // nobody waits any more
  Result<uint64_t> done = fail(Code::kInterrupted);
};

io::Task<Result<uint64_t>> MetadataShipper::replace_here(Replacing& what) {
  {
    const io::Mutex::Guard guard = co_await publish_mutex_.lock();
    publisher_.distrust(what.damaged);
    if (what.root) CO_TRY(co_await publisher_.put_again(&what.stop));
  }
  co_return co_await publish_here(&what.stop);
}

io::Task<void> MetadataShipper::run_replace(std::shared_ptr<Replacing> replacing, io::Gate::Entry entry) {
  const io::CancelToken::Scope with_all(&token_, [&] { replacing->stop.cancel(); });
  if (entry)
    replacing->done = co_await replace_here(*replacing);
  else
    replacing->done = fail(Code::kUnavailable, "the volume's metadata is no longer shipped");
  replacing->over.cancel();
}

io::Task<Result<uint64_t>> MetadataShipper::replace(std::vector<TableRef> damaged, bool root, io::CancelToken* token) {
  io::Reactor* const caller = io::Reactor::current();
  co_await io::switch_to(*home_);
  const auto replacing = std::make_shared<Replacing>();
  replacing->damaged = std::move(damaged);
  replacing->root = root;
  io::detach(run_replace(replacing, gate_.enter()));
  {
    const io::CancelToken::Scope with_caller(token, [&] {
      replacing->stop.cancel();
      replacing->over.cancel();
    });
    (void)co_await io::sleep_for(io::kForeverNs, &replacing->over);
  }
  Result<uint64_t> done = replacing->done;
  co_await io::switch_to(*caller);
  co_return done;
}

io::Task<Result<uint64_t>> MetadataShipper::collect() {
  io::Reactor* const caller = io::Reactor::current();
  co_await io::switch_to(*home_);
  Result<uint64_t> done = co_await collect_here();
  co_await io::switch_to(*caller);
  co_return done;
}

}  // namespace firn::tier
