// Shipping: the metadata of a running volume, on its way to the coldest of its tiers, from which firn restore brings it
// back; and where that tier is what durability means, from there.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "io/cancel.h"
#include "io/sync.h"
#include "kv/kv.h"
#include "tier/metadata/check.h"
#include "tier/metadata/opening.h"
#include "tier/metadata/shipper.h"

namespace firn::cli {

// What leads past a gap in the log, for the end of a message.
inline constexpr const char* kRewindAdvice =
    ". A daemon that still serves the volume makes that good: by itself within seconds, or with firn scrub there. If "
    "there is none any more, firn mount --rewind goes back to the state before it, and gives up what was committed "
    "after "
    "it";

// Thread-safe.
class Shipping {
 public:
  struct Options {
    tier::Bucket bucket;
    std::string volume_id;
    tier::Bytes16 database{};  // this volume folder's own
    tier::ShipOptions ship;
    // See TakeOverOptions.
    int64_t lease_ns = 0;
    tier::Bytes16 own_database{};
    // Whether the store keeps two writers apart; asked before this becomes one. May be empty.
    std::function<io::Task<Result<void>>(io::CancelToken* token)> check_store;
    // Somebody else has taken the volume over. Called once, on any thread; must not wait. May be empty.
    std::function<void()> on_lost;
  };
  explicit Shipping(Options options) : options_(std::move(options)) {}

  // One of these two, once:
  //
  // For a volume whose truth is `engine`, which must outlive stop(). Becomes the volume's writer in the bucket, and
  // ships from then on; tries again while the bucket does not answer. On a reactor; returns at once.
  void start(kv::Engine& engine);
  // For a volume whose truth is the bucket. Becomes its writer, whoever else was, and makes an engine of what is there,
  // whose sync() waits for the bucket. It must be closed after stop(), and destroyed before this. Where the log has a
  // gap, `rewinds` says whether the state before it is taken, and put into the bucket as a new root; otherwise this is
  // kCorrupt, and whoever serves the volume goes on.
  io::Task<Result<std::unique_ptr<kv::Engine>>> open(tier::MakeRestoreTarget make_target, bool rewinds = false);
  // After open(): what was given up for that; empty: nothing.
  const std::string& given_up() const { return given_up_; }
  // Of a volume whose truth is the bucket, after open(): whether what is here may be shown. Until abandon().
  tier::ServingLease& lease() { return shipper_->lease(); }
  // Whoever waits for the lease fails, now and from then on: nobody is to be waited for.
  io::Task<void> abandon_readers();
  // Ships what is left, for a while, and ends.
  io::Task<Result<void>> stop();

  // Until the bucket has everything that is committed now. Just after the start: once the bucket has been asked.
  io::Task<Result<void>> ship();
  // The same, if `ship_first`. Of what became needless after the time that it returns, readers elsewhere may still
  // fetch something.
  io::Task<Result<Timestamp>> removable_until(bool ship_first);
  // Reads the metadata in the bucket, at a rate (0: as fast as it goes). What is damaged there, or gone, is sent again
  // from here. Fails when the bucket does not answer. Once `token` is cancelled it returns soon, with what it found.
  io::Task<Result<tier::MetadataReport>> scrub(uint64_t bytes_per_s, std::function<void(uint64_t bytes)> progress,
                                               io::CancelToken* token);
  // Not ok: another daemon has taken the volume over in the bucket. Nothing may be put there or removed any more.
  Status permitted() const;

  struct Report {
    bool attached = false;
    Status failure;  // why it is not attached
    tier::ShipStatus status;
    uint64_t damaged_objects = 0;   // that were found in the bucket's metadata since the start,
    uint64_t repaired_objects = 0;  // of those
  };
  Report report() const;

 private:
  void note_given_up(const tier::Restored& restored);
  // Makes what was restored from before a gap, or a break, the newest state for all others.
  io::Task<Result<void>> put_root(tier::MetadataShipper& shipper, kv::Engine& engine);
  io::Task<void> attach(io::Gate::Entry entry);
  io::Task<Result<void>> try_attach();
  std::unique_ptr<tier::MetadataShipper> make_shipper(tier::Writership held, int64_t ack_timeout_ns);
  tier::MetadataShipper* shipper() const;
  void note(Status failure);

  const Options options_;
  kv::Engine* engine_ = nullptr;
  std::string given_up_;
  mutable std::mutex mutex_;  // guards the next three
  std::unique_ptr<tier::MetadataShipper> shipper_;
  Status failure_ = Status(Code::kUnavailable, "the bucket has not answered yet");
  Status fenced_;
  uint64_t damaged_objects_ = 0, repaired_objects_ = 0;  // under mutex_, too
  io::Event tried_;                                      // to become the writer, at least once
  io::CancelToken stopping_;
  io::Gate gate_;
};

}  // namespace firn::cli
