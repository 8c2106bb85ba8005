// The metadata of a volume that lives in a bucket, for a command that looks at it, or mends it, without serving it.
#pragma once

#include <memory>

#include "cli/settings.h"
#include "cli/shipping.h"
#include "cli/stores.h"
#include "cli/volume_folder.h"
#include "io/uring/reactor_pool.h"

namespace firn::cli {

class BucketMetadata {
 public:
  struct Where {
    const VolumePaths& cache;   // whose firn.toml says where the bucket is
    const VolumePaths& target;  // made anew, for the database
    const Settings& settings;
    io::ReactorPool& reactors;
    io::BlockingPool& pool;
  };
  // What is there now. Whoever serves the volume goes on.
  static Result<std::unique_ptr<BucketMetadata>> read(const Where& where);
  // As the volume's one writer. kBusy: somebody serves it, or vanished without ending well, and is not to be fenced for
  // this.
  static Result<std::unique_ptr<BucketMetadata>> write(const Where& where);

  kv::Engine& engine() { return *engine_; }
  // Once. What was committed is in the bucket when it returned well.
  Result<void> close();

 private:
  explicit BucketMetadata(const Where& where) : reactors_(where.reactors) {}
  Result<tier::Bucket> open_stores(const Where& where);

  io::ReactorPool& reactors_;
  std::string volume_;  // its id
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<Shipping> shipping_;  // null: nothing is written
  std::unique_ptr<kv::Engine> engine_;
};

}  // namespace firn::cli
