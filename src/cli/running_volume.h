// RunningVolume: an open volume with all its parts, from RocksDB to vfs::Volume, without doors.
#pragma once

#include <memory>
#include <string>

#include "cli/following.h"
#include "cli/handover.h"
#include "cli/running_tiers.h"
#include "cli/settings.h"
#include "cli/volume_folder.h"
#include "data/store.h"
#include "io/blocking_pool.h"
#include "io/disk.h"
#include "io/uring/reactor_pool.h"
#include "kv/kv.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "meta/event_log.h"
#include "meta/local_service.h"
#include "meta/volume.h"
#include "vfs/volume.h"

namespace firn::cli {

struct OpenFlags {
  bool read_only = false;
  bool no_atime = false;
  bool rewinds = false;               // of a volume that lives in a bucket: Shipping::open()
  std::optional<std::string> secret;  // what opens an encrypted volume
  // Somebody else has taken the volume over: nothing more can be kept. Called on any thread; must not wait.
  std::function<void()> on_lost;
};

// open() and close() are for the main thread, which runs no reactor.
class RunningVolume {
 public:
  // Recovers what a crash left, and starts background work.
  static Result<std::unique_ptr<RunningVolume>> open(const VolumePaths& paths, const Settings& settings,
                                                     OpenFlags flags);
  // Syncs and ends everything; the doors have stopped. To be called once, also after failures of the doors.
  Result<void> close();
  ~RunningVolume();

  vfs::Volume& volume() { return *volume_; }
  // In all (vfs::Volume::writes_lost). After close().
  uint64_t writes_lost() const { return writes_lost_; }
  meta::Service& meta() { return *meta_; }
  // Null: no log of changes is kept.
  meta::EventLog* events() { return events_.get(); }
  data::Store& store() { return *store_; }
  kv::Engine& engine() { return follower_ ? follower_->engine() : *engine_; }
  // Null: this is not a read-only mount of a volume that lives in a bucket.
  Following* following() { return follower_.get(); }
  Handover& handover() { return *handover_; }
  // Null: the volume has no colder tiers.
  RunningTiers* tiers() { return tiers_.get(); }
  // Null: it has none, or is read-only.
  Shipping* shipping() { return shipping_.get(); }
  io::BlockingPool& pool() { return *blocking_pool_; }
  io::ReactorPool& reactors() { return *reactors_; }
  const meta::VolumeSettings& record() const { return record_; }
  bool was_clean() const { return was_clean_; }

 private:
  RunningVolume() = default;
  Result<void> start(const VolumePaths& paths, const Settings& settings, OpenFlags flags);
  // Where the truth is in this folder.
  Result<void> open_here(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags);
  // Where it is in a bucket, and the folder a cache, which is made anew.
  Result<void> open_bucket(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags);
  // `former`: what database_id() was before the cache was made anew.
  Result<void> open_from_bucket(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags,
                                tier::Bytes16 former);
  std::unique_ptr<vfs::Volume> hold(std::unique_ptr<vfs::Volume> volume);
  Result<void> follow(const VolumePaths& paths, const Settings& settings);
  kv::RocksdbOptions cached_database(const std::string& path, const Settings& settings);
  tier::Bucket bucket(const Settings& settings);
  io::Task<Result<void>> load_record();
  io::Task<Result<void>> open_events(const Settings& settings, uint64_t hot_id);
  io::Task<Result<void>> start_metadata(const Settings& settings, uint64_t hot_id);
  void open_tiers(const Settings& settings);
  void prepare_shipping(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags,
                        tier::Bytes16 database, tier::Bytes16 own_database = {});
  io::Task<void> attach();
  io::Task<Result<void>> stop();

  // In order of construction; each uses those above it.
  std::unique_ptr<io::BlockingPool> blocking_pool_;
  std::unique_ptr<io::ReactorPool> reactors_;
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<Shipping> shipping_;
  std::unique_ptr<Following> follower_;  // instead of an engine
  std::unique_ptr<kv::Engine> engine_;
  std::unique_ptr<io::Disk> disk_;
  std::unique_ptr<meta::EventLog> events_;
  std::unique_ptr<meta::LocalService> meta_;
  std::unique_ptr<data::Store> store_;
  std::unique_ptr<RunningTiers> tiers_;
  std::unique_ptr<vfs::Volume> volume_;
  uint64_t writes_lost_ = 0;
  std::unique_ptr<Handover> handover_;

  io::CancelToken ending_;  // of what keeps the log of changes short
  io::Gate keeping_;

  meta::VolumeSettings record_;
  std::optional<tier::Key> key_;
  bool in_bucket_ = false;  // durability is the bucket's
  uint64_t boot_session_ = 0;
  bool was_clean_ = true;
  bool started_ = false;  // volume_->start() succeeded
};

// What the kernel calls this boot.
std::string boot_id();

}  // namespace firn::cli
