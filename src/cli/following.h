// Following: the metadata of a volume that lives in a bucket, and that another machine writes, as far as the bucket
// knows it.
#pragma once

#include <mutex>
#include <string>

#include "io/cancel.h"
#include "io/sync.h"
#include "tier/metadata/follower.h"
#include "tier/metadata/pin.h"

namespace firn::cli {

// Thread-safe.
class Following {
 public:
  // What `bucket` refers to must outlive close().
  Following(tier::Bucket bucket, std::string volume, int64_t interval_ns,
            tier::MetadataFollower::MakeTarget make_target);

  // Reads what is there, and follows from then on. On a reactor.
  io::Task<Result<void>> open();
  io::Task<void> close();

  // As tier::MetadataFollower::engine().
  kv::Engine& engine() { return follower_.engine(); }

  struct Report {
    int64_t behind_ns = 0;  // since it was last heard that there is nothing newer than what is shown
    Status failure;         // of the last attempt; ok when it succeeded
  };
  Report report() const;

 private:
  io::Task<void> run(io::Gate::Entry entry);
  void note(const Status& status, int64_t now_ns);

  const int64_t interval_ns_;
  tier::ReaderPin pin_;
  bool pins_ = true;  // the store lets us
  tier::MetadataFollower follower_;
  mutable std::mutex mutex_;  // guards the next two
  int64_t heard_ns_ = 0;      // monotonic
  Status failure_;
  io::CancelToken stopping_;
  io::Gate gate_;
};

}  // namespace firn::cli
