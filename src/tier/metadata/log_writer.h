// The writer's end of the log: one object after another, until somebody else takes over.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "tier/metadata/bucket.h"
#include "tier/metadata/takeover.h"

namespace firn::tier {

// A successor puts a root, then a fence into the log. The fence stays for longer than the root; but where the store has
// forgotten objects of the log that it had acknowledged, the fence comes before this writer's next place. So both are
// looked for.
// One put at a time, on one reactor; what is const may be called from any thread.
class LogWriter {
 public:
  // `lease_ns`: for how long after the sending of a request that found this writer unfenced it may take itself for the
  // writer, by Clock::elapsed_ns(). `on_fenced` is called once, when it no longer is.
  LogWriter(Bucket bucket, const Writership& held, int64_t lease_ns, std::function<void(const Status&)> on_fenced)
      : bucket_(std::move(bucket)),
        epoch_(held.epoch),
        writer_(held.writer),
        lease_ns_(lease_ns),
        on_fenced_(std::move(on_fenced)),
        next_(held.fence + 1),
        newest_root_(held.root.number),
        lease_until_ns_(held.lease_from_ns + lease_ns) {}

  struct Prepared {
    Envelope envelope;
    object::Content content;
    int64_t made_ns = 0;  // by Clock::elapsed_ns()
  };
  // An object for the place next(). Compresses beside the reactor what is large. `payload` must outlive the task.
  io::Task<Prepared> prepare(LogKind kind, std::string_view payload);
  // A failure leaves open whether it is there; put the same one again. kNotPermitted: fenced. kStale: a former writer's
  // stray (log_end.h) has its place, and it never will be there; prepare another one.
  io::Task<Result<void>> put(Prepared object, io::CancelToken* token);
  // What put() has put, and the store has forgotten; it is looked at before this returns. Fails as put() does; kStale:
  // a stray has its place for good. May run beside a put of another.
  io::Task<Result<void>> put_again(Prepared object, io::CancelToken* token);
  // Asks whether somebody has taken over; renews the lease if not. Two requests at once. kNotPermitted: fenced. May run
  // beside a put.
  io::Task<Result<void>> confirm(io::CancelToken* token);
  // With one request, which looks for a successor's root, and for its fence by turns where nothing was put meanwhile;
  // does not renew the lease. May run beside a put.
  io::Task<Result<void>> glance(io::CancelToken* token);
  // A root of this writer is there.
  void note_root(uint64_t number) { newest_root_.store(number, std::memory_order_release); }
  // Somebody else's object was met elsewhere.
  Status fence_by(const Envelope& other);

  uint64_t epoch() const { return epoch_; }
  const Bytes16& writer() const { return writer_; }
  // The first place that is not known to hold an object of this writer, or a stray.
  uint64_t next() const { return next_.load(std::memory_order_acquire); }
  // Not ok once fenced.
  Status fenced() const;
  bool is_fenced() const { return is_fenced_.load(std::memory_order_acquire); }
  // How much of the lease is left; not more than 0 when it has lapsed, or this writer is fenced.
  int64_t lease_left_ns(int64_t elapsed_ns) const {
    return is_fenced() ? 0 : lease_until_ns_.load(std::memory_order_acquire) - elapsed_ns;
  }

 private:
  using KeyOf = std::string(uint64_t number);
  // Whether somebody else's object is the first at or after `place` that is not this writer's: then it is fenced.
  // Strays are passed over: in the log, a successor's epoch is not below this writer's.
  io::Task<Result<void>> look_at(KeyOf* key_of, uint64_t place, io::CancelToken* token);
  io::Task<Result<void>> look_for_fence(io::CancelToken* token) { return look_at(log_key, next(), token); }
  io::Task<Result<void>> look_for_root(io::CancelToken* token) {
    return look_at(root_key, newest_root_.load(std::memory_order_acquire) + 1, token);
  }
  bool is_stray(const Envelope& at) const { return at.type == ObjectType::kLog && at.epoch < epoch_; }
  // Over the stray in that place and those behind it, to the first place without one. Moves next() with it.
  io::Task<Result<uint64_t>> pass_strays(uint64_t stray, io::CancelToken* token);
  void renew_lease(int64_t sent_ns);

  const Bucket bucket_;
  const uint64_t epoch_;
  const Bytes16 writer_;
  const int64_t lease_ns_;
  const std::function<void(const Status&)> on_fenced_;
  std::atomic<uint64_t> next_;
  std::atomic<uint64_t> newest_root_;  // that is known
  bool fence_is_due_ = false;          // for the next glance(): nothing was put since the last, which was at the root
  std::atomic<int64_t> lease_until_ns_;
  std::atomic<bool> is_fenced_ = false;
  mutable std::mutex fenced_mutex_;  // guards fenced_
  Status fenced_;
};

}  // namespace firn::tier
