#include "tier/metadata/shipper.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace firn::tier {

namespace {

int64_t monotonic_ns() { return io::Reactor::current()->clock().monotonic_ns(); }

}  // namespace

MetadataShipper::MetadataShipper(Bucket bucket, Writership held, ShipOptions options)
    : bucket_(bucket),
      options_(std::move(options)),
      log_(bucket, held, options_.lease_ns,
           [this](const Status& why) {
             end(why);
             if (options_.on_fenced) options_.on_fenced(why);
           }),
      recheck_(bucket, log_, {}),
      lease_(log_, {.lease_ns = options_.lease_ns,
                    .patience_ns = options_.ack_timeout_ns,
                    .first_retry_ns = options_.first_retry_ns}),
      publisher_(bucket, log_, held.root,
                 {.database = options_.database, .tables_in_flight = options_.tables_in_flight}),
      pins_(bucket, log_),
      collector_(bucket, log_, pins_, held.fence, options_.retention),
      queue_({.load_bytes = options_.log_bytes,
              .ring_bytes = options_.flush_bytes,
              .max_bytes = options_.drop_when_full ? options_.queue_bytes : 0},
             alarm_),
      root_number_(held.root.number),
      root_seconds_(held.root.root.seconds) {}

MetadataShipper::~MetadataShipper() { CHECK(source_ == nullptr); }  // otherwise neither release() nor close()

void MetadataShipper::start(kv::ShippingSource& source, StartFrom from) {
  CHECK(home_ == nullptr && io::Reactor::current() != nullptr);
  home_ = io::Reactor::current();
  lease_.start();
  pins_.start(publisher_.root().root.first_pin);
  source_ = &source;
  if (from == StartFrom::kDatabase) queue_.stop();
  const kv::Version base = source.set_commit_sink(&queue_);
  {
    std::lock_guard lock(state_mutex_);
    base_ = base;
    if (from == StartFrom::kBucket) logged_ = shipped_ = base;
  }
  io::detach(run_log(gate_.enter()));
  if (options_.keep_lease) io::detach(run_heartbeat(gate_.enter()));
  if (options_.asks_after == AskAfter::kSoon) io::detach(run_rechecks(gate_.enter()));
  io::detach(run_roots(gate_.enter()));
}

// ---- the log

io::Task<void> MetadataShipper::run_log(io::Gate::Entry) {
  int64_t failing_since_ns = 0;
  for (int failures = 0; !ended();) {
    if (const int64_t wait = time_to_act(); wait > 0) {
      co_await alarm_.sleep(wait);
      continue;
    }
    const int64_t begun = monotonic_ns();
    const Result<void> done = co_await act();
    note(done);
    if (!done && failures == 0) failing_since_ns = begun;
    if (!done && monotonic_ns() - failing_since_ns >= options_.ack_timeout_ns) wake_waiters(done.error());
    failures = done ? 0 : failures + 1;
    if (!done && !ended()) co_await pause(failures);
  }
}

int64_t MetadataShipper::time_to_act() {
  if (queue_.has_dropped()) return 0;
  const int64_t now = monotonic_ns();
  if (const uint64_t bytes = queue_.bytes(); bytes > 0) {
    std::lock_guard lock(state_mutex_);
    if (oldest_ns_ == 0) oldest_ns_ = now;
    if (wanted_ > logged_ || releasing_ || bytes >= options_.flush_bytes) return 0;
    return std::max<int64_t>(0, oldest_ns_ + options_.flush_interval_ns - now);
  }
  // Until a root makes good what is missing from the log, nothing is complete.
  return releasing_ && !waits_for_root_ ? 0 : io::kForeverNs;
}

io::Task<Result<void>> MetadataShipper::act() {
  if (queue_.has_dropped()) co_return co_await put_break();
  // Those whom the last PUT woke commit again just now, and may come along.
  co_await io::stand_back();
  // What nobody has asked for is in memory: that has a bound.
  if (recheck_.is_full() || releasing_) CO_TRY(note_gap(co_await recheck_.ask_all(&token_)));
  if (queue_.has_dropped()) co_return Result<void>();
  if (LogQueue::Load load = queue_.take(); load.commits > 0) co_return co_await ship(std::move(load));
  if (releasing_) {
    CO_TRY(co_await put_until_done(LogKind::kRelease, {}));
    has_released_ = true;
    end(Status(Code::kUnavailable, "the volume has been released"));
  }
  co_return Result<void>();
}

io::Task<Result<void>> MetadataShipper::ship(LogQueue::Load load) {
  const kv::Version through = load.through;
  {
    std::lock_guard lock(state_mutex_);
    in_flight_commits_ = load.commits;
    in_flight_bytes_ = load.payload.size();
  }
  since_root_bytes_ += load.payload.size();
  ++since_root_objects_;
  CO_TRY(co_await put_until_done(LogKind::kBatches, std::move(load.payload)));
  {
    std::lock_guard lock(state_mutex_);
    logged_ = through;
    in_flight_commits_ = in_flight_bytes_ = 0;
    oldest_ns_ = queue_.bytes() > 0 ? monotonic_ns() : 0;
  }
  advance();
  co_return Result<void>();
}

// Says in the log that commits are missing; from here on they are gathered again, for a root that will hold the
// missing ones.
io::Task<Result<void>> MetadataShipper::put_break() {
  // Whatever root is being made relies on the log without a break.
  ++breaks_;
  waits_for_root_ = true;
  CO_TRY(co_await put_until_done(LogKind::kBreak, {}));
  const kv::Version last = queue_.restart();
  {
    std::lock_guard lock(state_mutex_);
    logged_ = std::max(base_, last);
    oldest_ns_ = 0;
    root_awaited_ = true;
  }
  root_alarm_.ring();
  co_return Result<void>();
}

io::Task<void> MetadataShipper::run_heartbeat(io::Gate::Entry) {
  for (int failures = 0; !ended();) {
    if (failures > 0)
      co_await pause(failures);
    else if (!co_await io::sleep_for(options_.heartbeat_ns, &token_))
      break;
    if (ended()) break;
    const Result<void> done = co_await log_.glance(&token_);
    note(done);
    failures = done ? 0 : failures + 1;
  }
}

// Fails only when there is to be no other attempt.
io::Task<Result<void>> MetadataShipper::put_until_done(LogKind kind, std::string payload) {
  const bool soon = options_.asks_after == AskAfter::kSoon;
  const bool asks_first = options_.asks_after == AskAfter::kFirst || (soon && kind == LogKind::kRelease);
  LogWriter::Prepared object = co_await log_.prepare(kind, payload);
  const int64_t begun = monotonic_ns();
  for (int failures = 1;; ++failures) {
    Result<void> done = co_await log_.put(object, &token_);
    // At once: whoever puts strays goes on, and a new place is no sign that the bucket fails.
    while (!done && done.error() == Code::kStale && !ended()) {
      object = co_await log_.prepare(kind, payload);
      done = co_await log_.put(object, &token_);
    }
    if (done && asks_first) done = co_await ask_after(object);
    note(done);
    if (done) break;
    if (ended()) co_return done;
    if (monotonic_ns() - begun >= options_.ack_timeout_ns) wake_waiters(done.error());
    co_await pause(failures);
    if (ended()) co_return done;
  }
  if (soon && !asks_first) hold_for_recheck(std::move(object));
  co_return Result<void>();
}

void MetadataShipper::hold_for_recheck(LogWriter::Prepared object) {
  const int64_t now = monotonic_ns();
  const bool first = recheck_.due_in_ns(now) == io::kForeverNs;
  recheck_.hold(std::move(object), now);
  if (first || recheck_.due_in_ns(now) == 0) recheck_alarm_.ring();
}

io::Task<void> MetadataShipper::run_rechecks(io::Gate::Entry) {
  for (int failures = 0; !ended();) {
    if (const int64_t wait = recheck_.due_in_ns(monotonic_ns()); wait > 0) {
      co_await recheck_alarm_.sleep(wait);
      continue;
    }
    const Result<void> done = note_gap(co_await recheck_.ask_some(&token_));
    note(done);
    failures = done ? 0 : failures + 1;
    if (!done && !ended()) co_await pause(failures);
  }
}

// Where the log lacks something for good, it is as if commits had been dropped.
Result<void> MetadataShipper::note_gap(Result<void> asked) {
  if (asked || asked.error() != Code::kStale) return asked;
  log::error("metadata: {}; a new root makes that good", asked.error().message());
  // What is being put stands behind the gap.
  ++breaks_;
  waits_for_root_ = true;
  queue_.stop();
  alarm_.ring();
  return {};
}

io::Task<Result<void>> MetadataShipper::ask_after(const LogWriter::Prepared& object) {
  const std::string name = log_key(object.envelope.number);
  const uint64_t bytes = object.content.bytes();
  if (CO_TRY(co_await is_kept(bucket_, name, object.envelope, bytes, &token_))) co_return Result<void>();
  co_return co_await log_.put_again(object, &token_);
}

io::Task<void> MetadataShipper::pause(int failures) {
  const int64_t longest =
      std::min(options_.first_retry_ns << std::clamp(failures - 1, 0, 20), options_.longest_retry_ns);
  const auto random = static_cast<int64_t>(bucket_.random.below(static_cast<uint64_t>(longest / 2) + 1));
  co_await io::sleep_for(longest / 2 + random, &token_);
}

// The log has grown, or a root has come: whoever waited for that goes on.
void MetadataShipper::advance() {
  {
    std::lock_guard lock(state_mutex_);
    root_awaited_ = waits_for_root_;
    if (!waits_for_root_) shipped_ = logged_;
  }
  wake_waiters({});
  if (root_is_due()) root_alarm_.ring();
  if (releasing_) alarm_.ring();
}

// ---- those who wait

void MetadataShipper::wake_waiters(Status failure) {
  std::shared_ptr<Progress> past;
  {
    std::lock_guard lock(state_mutex_);
    past = std::exchange(progress_, std::make_shared<Progress>());
  }
  past->failure = std::move(failure);
  past->event.set();
}

void MetadataShipper::end(Status why) {
  {
    std::lock_guard lock(state_mutex_);
    if (!ended_.ok()) return;
    ended_ = std::move(why);
  }
  queue_.stop();
  token_.cancel();
  alarm_.ring();
  root_alarm_.ring();
  recheck_alarm_.ring();
  released_.cancel();
  wake_waiters({});
}

void MetadataShipper::note(Result<void> done) {
  if (!done && !ended()) log::debug("metadata: {}", done.error().to_string());
  std::lock_guard lock(state_mutex_);
  last_failure_ = done ? Status() : std::move(done).error();
}

io::Task<Result<void>> MetadataShipper::ship_through(kv::Version version) {
  const io::Gate::Entry entry = gate_.enter();
  for (;;) {
    std::shared_ptr<Progress> next;
    bool hurry = false;
    {
      std::lock_guard lock(state_mutex_);
      if (!ended_.ok()) co_return fail(ended_);
      CHECK(entry);
      version = std::min(version, queue_.last(base_));
      if (shipped_ >= version) co_return Result<void>();
      hurry = version > wanted_;
      wanted_ = std::max(wanted_, version);
      next = progress_;
    }
    if (hurry) alarm_.ring();
    co_await next->event.wait();
    if (!next->failure.ok()) co_return fail(next->failure);
  }
}

io::Task<Result<void>> MetadataShipper::make_room() {
  while (!options_.drop_when_full && queue_.bytes() > options_.queue_bytes)
    CO_TRY(co_await ship_through(queue_.last()));
  std::lock_guard lock(state_mutex_);
  if (!ended_.ok()) co_return fail(ended_);
  co_return Result<void>();
}

kv::Version MetadataShipper::shipped() const {
  std::lock_guard lock(state_mutex_);
  return shipped_;
}

ShipStatus MetadataShipper::status() const {
  std::lock_guard lock(state_mutex_);
  return {.epoch = log_.epoch(),
          .shipped = shipped_,
          .pending_commits = queue_.commits() + in_flight_commits_,
          .pending_bytes = queue_.bytes() + in_flight_bytes_,
          .oldest_pending_ns = oldest_ns_ == 0 ? 0 : std::max<int64_t>(1, home_->clock().monotonic_ns() - oldest_ns_),
          .next_log = log_.next(),
          .root = root_number_,
          .root_seconds = root_seconds_,
          .waits_for_root = root_awaited_,
          .fenced = !log_.fenced().ok(),
          .lease_valid = lease_valid(),
          .readers = pins_.live(),
          .last_failure = last_failure_.ok() ? root_failure_ : last_failure_};
}

// ---- the end

io::Task<void> MetadataShipper::give_up_after(int64_t nanoseconds, io::Gate::Entry) {
  if (co_await io::sleep_for(nanoseconds, &released_))
    end(Status(Code::kTimedOut, "the bucket did not take what was left to ship"));
}

io::Task<Result<void>> MetadataShipper::release(int64_t within_ns) {
  CHECK(home_ != nullptr);
  io::Reactor* const caller = io::Reactor::current();
  co_await io::switch_to(*home_);
  io::detach(give_up_after(within_ns, gate_.enter()));
  // The next opening would replay all of it.
  if (since_root_objects_ > options_.root_log_objects / 4 || since_root_bytes_ > options_.root_log_bytes / 4) {
    const Result<uint64_t> root = co_await publish_here(&token_);
    if (!root && !ended()) log::warning("metadata: no root at the end: {}", root.error().to_string());
  }
  releasing_ = true;
  alarm_.ring();
  co_await io::sleep_for(io::kForeverNs, &released_);
  Result<void> result;
  if (!has_released_) {
    std::lock_guard lock(state_mutex_);
    result = fail(ended_);
  }
  co_await close();
  co_await io::switch_to(*caller);
  co_return result;
}

io::Task<void> MetadataShipper::close() {
  if (home_ == nullptr) co_return;
  io::Reactor* const caller = io::Reactor::current();
  co_await io::switch_to(*home_);
  end(Status(Code::kUnavailable, "the volume's metadata is no longer shipped"));
  co_await lease_.close();
  co_await gate_.close();
  if (source_ != nullptr) source_->set_commit_sink(nullptr);
  source_ = nullptr;
  co_await io::switch_to(*caller);
}

}  // namespace firn::tier
