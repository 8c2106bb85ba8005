// MetadataShipper: carries what an engine commits into a bucket, as long as nobody else takes the volume over.
//
// How to use it:
//   1. take_over() makes this process the writer.
//   2. Where the bucket is the truth: restore_metadata() makes the engine. Otherwise the engine is there already.
//   3. start() with the engine's ShippingSource, before anybody commits to it.
//   4. ship_through() waits until commits are in the bucket. (ShippedEngine makes Engine::sync() of it.)
//   5. release() when nobody commits any more, then Engine::close().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "io/alarm.h"
#include "io/cancel.h"
#include "io/sync.h"
#include "kv/shipping.h"
#include "tier/metadata/collector.h"
#include "tier/metadata/log_queue.h"
#include "tier/metadata/log_recheck.h"
#include "tier/metadata/log_writer.h"
#include "tier/metadata/pin.h"
#include "tier/metadata/publisher.h"
#include "tier/metadata/serving_lease.h"
#include "tier/metadata/takeover.h"

namespace firn::tier {

// Whether each object of the log is asked for after its PUT, which is one request more, and put again where the store
// has forgotten it.
enum class AskAfter : uint8_t {
  kNever,
  kFirst,  // before it counts: where nobody waits for it
  kSoon,   // about a second after those who wait for it have been told; the last one of a release first
};

struct ShipOptions {
  // A commit waits for others for so long, unless somebody waits for it or so much has gathered.
  int64_t flush_interval_ns = 1'000'000'000;
  uint64_t flush_bytes = 4 << 20;
  // One log object holds so much, or one commit. One PUT at a time is in flight.
  uint64_t log_bytes = 16 << 20;
  // Of commits that the bucket does not have. `drop_when_full`: beyond it they are dropped and a new root is sent
  // instead (for volumes whose truth is local); otherwise make_room() waits.
  uint64_t queue_bytes = 256 << 20;
  bool drop_when_full = false;
  AskAfter asks_after = AskAfter::kNever;
  // A new root after so much log.
  uint64_t root_log_bytes = 64 << 20;
  uint64_t root_log_objects = 1000;
  size_t tables_in_flight = 2;
  Bytes16 database{};  // as for take_over()
  RetentionOptions retention;
  // Whether to ask every heartbeat_ns, beside what is shipped, if this is still the writer. One request each time.
  bool keep_lease = true;
  // For how long after a request that found this the writer lease() holds. To be that of TakeOverOptions, or shorter.
  int64_t lease_ns = 5'000'000'000;
  int64_t heartbeat_ns = 60'000'000'000;
  // After a failure: waits that double. Those who wait for commits are told once it has failed for ack_timeout_ns, the
  // log or the root that they wait for, and at every failure from then on; the commits stay queued.
  int64_t first_retry_ns = 200'000'000;
  int64_t longest_retry_ns = 10'000'000'000;
  int64_t ack_timeout_ns = 300'000'000'000;
  // Called once, on the shipper's reactor, when somebody else has taken over. Must not wait, nor destroy the shipper.
  std::function<void(const Status&)> on_fenced;
};

// What the engine holds at start().
enum class StartFrom : uint8_t {
  // Exactly what restore_metadata() made of the bucket after take_over(). The log goes on at once.
  kBucket,
  // A local database of its own: the log goes on after a new root.
  kDatabase,
};

struct ShipStatus {
  uint64_t epoch = 0;
  kv::Version shipped = 0;  // every commit up to it is in the bucket
  uint64_t pending_commits = 0;
  uint64_t pending_bytes = 0;
  int64_t oldest_pending_ns = 0;  // age; 0: nothing is pending
  uint64_t next_log = 0;
  uint64_t root = 0;
  int64_t root_seconds = 0;     // wall time of that root
  bool waits_for_root = false;  // what is in the bucket is older than `shipped` was before: a root is on its way
  bool fenced = false;
  bool lease_valid = false;
  uint64_t readers = 0;  // elsewhere, as of the last look at their pins
  Status last_failure;   // of the log, or else of roots; ok once each has succeeded again
};

// start() binds it to the current reactor, on which its tasks run. Calls may come from any reactor.
// release() or close() must have returned before it is destroyed.
class MetadataShipper {
 public:
  MetadataShipper(Bucket bucket, Writership held, ShipOptions options);
  ~MetadataShipper();
  MetadataShipper(const MetadataShipper&) = delete;
  MetadataShipper& operator=(const MetadataShipper&) = delete;

  // Once. `source` must outlive release() or close().
  void start(kv::ShippingSource& source, StartFrom from);

  // Waits until the bucket has every commit up to `version` (or the newest, when that is older), and hurries.
  // kNotPermitted: somebody else has taken over. kUnavailable: close() came first. Others: the bucket has failed for
  // ack_timeout_ns; whether the commits are there is then unknown, and they are sent again until it is known.
  io::Task<Result<void>> ship_through(kv::Version version);
  // Waits while more than queue_bytes are queued. Fails as ship_through() does.
  io::Task<Result<void>> make_room();
  // Makes a root of what the engine holds now, so that restoring need not replay a long log. Returns its number.
  io::Task<Result<uint64_t>> publish_root();
  // Of what a check has found: the tables that are damaged are sent again, with a new root, which needs nothing of the
  // log before it. `root`: the newest one was gone, too. Returns the new root's number. Fails at once when `token` (may
  // be null) is cancelled, also while another root is on its way.
  io::Task<Result<uint64_t>> replace(std::vector<TableRef> damaged, bool root, io::CancelToken* token);
  // Removes what no root that is kept needs, as is done after every root. Returns how many objects.
  io::Task<Result<uint64_t>> collect();

  // Readers elsewhere may still fetch what became needless after the time that this returns; the log has everything
  // that says what did before, and no earlier than that the caller saw to (ship_through()). A request for each reader.
  io::Task<Result<Timestamp>> removable_until();

  // Ships what is left, makes a root if there is much log, says in the log that this writer has ended, and closes.
  // Nobody may commit any more. After `within_ns` it gives up (kTimedOut), and closes all the same: the next opening
  // then finds what has been shipped, in order.
  io::Task<Result<void>> release(int64_t within_ns);
  // Ends everything; what was not shipped never will be. Idempotent.
  io::Task<void> close();

  // Not ok (kNotPermitted) once somebody else has taken over.
  Status fenced() const { return log_.fenced(); }
  bool is_fenced() const { return log_.is_fenced(); }
  uint64_t epoch() const { return log_.epoch(); }
  // Every commit up to it is in the bucket.
  kv::Version shipped() const;
  // Whoever answers readers while it does not hold may answer with what somebody else has changed. After start().
  ServingLease& lease() { return lease_; }
  // Whether this was surely the one writer a moment ago. False before start().
  bool lease_valid() const { return home_ != nullptr && log_.lease_left_ns(home_->clock().elapsed_ns()) > 0; }
  ShipStatus status() const;

 private:
  // What everybody who waits for the next step of the log waits on.
  struct Progress {
    io::Event event;
    Status failure;
  };

  io::Task<void> run_log(io::Gate::Entry entry);
  io::Task<void> run_heartbeat(io::Gate::Entry entry);
  io::Task<void> run_rechecks(io::Gate::Entry entry);
  void hold_for_recheck(LogWriter::Prepared object);
  Result<void> note_gap(Result<void> asked);
  int64_t time_to_act();
  io::Task<Result<void>> act();
  io::Task<Result<void>> ship(LogQueue::Load load);
  io::Task<Result<void>> put_break();
  // The reference must outlive the task. Fails when it is not there.
  io::Task<Result<void>> ask_after(const LogWriter::Prepared& object);
  io::Task<Result<void>> put_until_done(LogKind kind, std::string payload);
  io::Task<void> run_roots(io::Gate::Entry entry);
  bool root_is_due() const;
  // `token`: cancelled with token_, or before.
  io::Task<Result<uint64_t>> publish_here(io::CancelToken* token);
  struct Replacing;
  io::Task<void> run_replace(std::shared_ptr<Replacing> replacing, io::Gate::Entry entry);
  io::Task<Result<uint64_t>> replace_here(Replacing& what);
  io::Task<Result<uint64_t>> collect_here();
  io::Task<Result<void>> wait_logged(kv::Version version, uint64_t breaks);
  io::Task<void> pause(int failures);
  io::Task<void> give_up_after(int64_t nanoseconds, io::Gate::Entry entry);

  void advance();
  void wake_waiters(Status failure);
  void end(Status why);
  void note(Result<void> done);
  void note_root(const Result<uint64_t>& done);
  bool ended() const { return token_.cancelled() || !log_.fenced().ok(); }

  const Bucket bucket_;
  const ShipOptions options_;
  LogWriter log_;
  LogRecheck recheck_;
  ServingLease lease_;
  Publisher publisher_;
  ReaderPins pins_;
  MetadataCollector collector_;
  io::Alarm alarm_, root_alarm_, recheck_alarm_;
  LogQueue queue_;
  io::CancelToken token_;     // ends every wait and request
  io::CancelToken released_;  // at the end, whichever it is
  io::Gate gate_;
  io::Mutex publish_mutex_;  // held across awaits: one root, or collection, at a time
  io::Reactor* home_ = nullptr;
  kv::ShippingSource* source_ = nullptr;

  // On home_ only.
  uint64_t breaks_ = 0;          // in this log so far; what was begun before one is void
  bool waits_for_root_ = false;  // there was a break, and no root since
  bool releasing_ = false, has_released_ = false;
  uint64_t since_root_bytes_ = 0, since_root_objects_ = 0;

  mutable std::mutex state_mutex_;  // guards the rest
  kv::Version base_ = 0;            // the newest commit at start()
  kv::Version logged_ = 0;          // the log, or a root to come, holds every commit up to it
  kv::Version shipped_ = 0;         // the bucket does, and can be restored to it
  kv::Version wanted_ = 0;          // somebody waits for it
  int64_t oldest_ns_ = 0;           // when the oldest commit that is not shipped was noticed; 0: there is none
  uint64_t in_flight_commits_ = 0, in_flight_bytes_ = 0;
  uint64_t root_number_ = 0;
  int64_t root_seconds_ = 0;
  bool root_awaited_ = false;
  Status last_failure_, root_failure_, ended_;
  std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();
};

}  // namespace firn::tier
