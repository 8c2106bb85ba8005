// Shipping: the metadata of a running volume, on its way to the coldest of its tiers, from which firn restore brings it
// back.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "io/cancel.h"
#include "io/sync.h"
#include "kv/kv.h"
#include "tier/metadata/shipper.h"

namespace firn::cli {

// Thread-safe.
class Shipping {
 public:
  struct Options {
    tier::Bucket bucket;
    std::string volume_id;
    tier::Bytes16 database{};  // this volume folder's own
    tier::ShipOptions ship;
  };
  // `engine` must outlive stop().
  Shipping(Options options, kv::Engine& engine) : options_(std::move(options)), engine_(engine) {}

  // Becomes the volume's writer in the bucket, and ships from then on; tries again while the bucket does not answer. On
  // a reactor; returns at once.
  void start();
  // Ships what is left, for a while, and ends.
  io::Task<void> stop();

  // Until the bucket has everything that is committed now.
  io::Task<Result<void>> ship();
  // Not ok: another daemon has taken the volume over in the bucket. Nothing may be put there or removed any more.
  Status permitted() const;

  struct Report {
    bool attached = false;
    Status failure;  // why it is not attached
    tier::ShipStatus status;
  };
  Report report() const;

 private:
  io::Task<void> attach(io::Gate::Entry entry);
  io::Task<Result<void>> try_attach();
  tier::MetadataShipper* shipper() const;
  void note(Status failure);

  const Options options_;
  kv::Engine& engine_;
  mutable std::mutex mutex_;  // guards the next three
  std::unique_ptr<tier::MetadataShipper> shipper_;
  Status failure_ = Status(Code::kUnavailable, "the bucket has not answered yet");
  Status fenced_;
  io::CancelToken stopping_;
  io::Gate gate_;
};

}  // namespace firn::cli
