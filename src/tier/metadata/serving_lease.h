// ServingLease: whether a writer may still answer from memory, and a renewal when somebody asks.
//
// A writer that was taken over while it slept, or while it could not reach the bucket, does not know. What it answers
// then is old. So it answers only for a while after the bucket has last said that nobody took over, and its successor
// serves only after that while (Writership::others_until_ns). Nothing is asked while nobody asks us.
#pragma once

#include <atomic>
#include <memory>

#include "io/cancel.h"
#include "io/sync.h"
#include "tier/metadata/log_writer.h"

namespace firn::tier {

struct ServingLeaseOptions {
  int64_t lease_ns = 0;  // the log's
  // While the bucket does not answer, who asks waits; after it has not for so long, each waits for one more attempt
  // only.
  int64_t patience_ns = 300'000'000'000;
  int64_t first_retry_ns = 200'000'000;
  int64_t longest_retry_ns = 5'000'000'000;
};

// Calls from any reactor, from start() until close(); what it refers to must outlive that.
class ServingLease {
 public:
  ServingLease(LogWriter& log, ServingLeaseOptions options) : log_(log), options_(options) {}

  // Renewals run on the current reactor, the log's.
  void start() { home_ = io::Reactor::current(); }
  // Whoever waits fails with kUnavailable.
  io::Task<void> close();

  // Whether an answer that is begun now may be given. Begins a renewal when little of the lease is left.
  bool holds();
  // Waits until it does. kNotPermitted: somebody else has taken over. kUnavailable: the bucket has not answered for
  // patience_ns, or close().
  io::Task<Result<void>> wait();

 private:
  // One renewal, and the pause after one that failed. Many may wait for it.
  struct Attempt {
    io::Event ended;
    Status failure;
  };

  int64_t left_ns() const { return log_.lease_left_ns(home_->clock().elapsed_ns()); }
  std::shared_ptr<Attempt> join();
  io::Task<void> renew(std::shared_ptr<Attempt> attempt, io::Gate::Entry entry);
  io::Task<void> renew_early(io::Gate::Entry entry);

  LogWriter& log_;
  const ServingLeaseOptions options_;
  io::Reactor* home_ = nullptr;
  io::CancelToken closing_;
  io::Gate gate_;
  std::atomic<bool> renews_early_ = false;

  // On home_ only.
  std::shared_ptr<Attempt> attempt_;  // under way; null: none is
  int failures_ = 0;                  // attempts since the last one that succeeded
  int64_t failing_since_ns_ = 0;      // monotonic, of the first of these
};

}  // namespace firn::tier
