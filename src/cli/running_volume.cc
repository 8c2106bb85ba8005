#include "cli/running_volume.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "data/hot/hot_store.h"
#include "io/uring/uring_disk.h"
#include "vfs/held_volume.h"

namespace firn::cli {
namespace {

// Chunks are megabytes, and come and go: given back to the kernel each time, their pages cost more than their bytes.
void keep_freed_memory() {
  constexpr int kLargest = 32 << 20;
  mallopt(M_MMAP_THRESHOLD, kLargest);
  mallopt(M_TRIM_THRESHOLD, 8 * kLargest);
}

}  // namespace

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

Result<std::unique_ptr<RunningVolume>> RunningVolume::open(const VolumePaths& paths, const Settings& settings,
                                                           OpenFlags flags) {
  std::unique_ptr<RunningVolume> running(new RunningVolume);
  Result<void> started = running->start(paths, settings, flags);
  if (started) return running;
  // The reason for the failure counts, not what closing adds to it.
  (void)running->close();
  return fail(std::move(started).error());
}

RunningVolume::~RunningVolume() {
  // A volume that was not closed would leave coroutines behind.
  CHECK(!started_);
}

Result<void> RunningVolume::start(const VolumePaths& paths, const Settings& settings, OpenFlags flags) {
  blocking_pool_ = io::make_thread_pool(static_cast<unsigned>(settings.blocking_threads));
  reactors_ = TRY(io::ReactorPool::create({.reactors = static_cast<unsigned>(settings.reactor_threads),
                                           .spin_us = static_cast<unsigned>(settings.spin_us)}));
  in_bucket_ = settings.tiers.durability == "object";
  TRY(in_bucket_ ? open_bucket(paths, settings, flags) : open_here(paths, settings, flags));
  disk_ = io::make_uring_disk(*blocking_pool_);
  store_ = data::make_hot_store({.disk = *disk_,
                                 .root = paths.hot(),
                                 .min_ready = static_cast<size_t>(settings.scratch_min_files),
                                 .max_ready = static_cast<size_t>(settings.scratch_max_files),
                                 .recent_objects = static_cast<size_t>(settings.recent_files)});
  open_tiers(settings);
  volume_ = vfs::make_volume({.meta = *meta_,
                              .data = *store_,
                              .clock = system_clock(),
                              .pool = *blocking_pool_,
                              .inline_max_bytes = settings.inline_max_bytes,
                              .boot_session = boot_session_,
                              .clean = was_clean_,
                              .read_only = flags.read_only,
                              .no_atime = flags.no_atime,
                              .short_of_space = [this] { return engine().short_of_space(); },
                              .sync_interval_ns = settings.sync_interval_ns,
                              .tiers = tiers_ ? &tiers_->parts() : nullptr,
                              .durable_in_tiers = in_bucket_,
                              .follows = follower_ != nullptr});
  if (shipping_ && in_bucket_ && settings.tiers.lease_ns > 0) volume_ = hold(std::move(volume_));
  handover_ = std::make_unique<Handover>(engine(), *blocking_pool_, settings.handover_interval_ns);
  if (!follower_) handover_->start(*reactors_);  // there is nothing of its own to hand over
  TRY(io::block_on(*reactors_, volume_->start()));
  if (shipping_ && !in_bucket_) io::block_on(*reactors_, attach());
  started_ = true;
  return {};
}

// Another daemon may take the volume over at any time.
std::unique_ptr<vfs::Volume> RunningVolume::hold(std::unique_ptr<vfs::Volume> volume) {
  tier::ServingLease* const lease = &shipping_->lease();
  return std::make_unique<vfs::HeldVolume>(std::move(volume), vfs::Serving{.may = [lease] { return lease->holds(); },
                                                                           .wait = [lease] { return lease->wait(); }});
}

io::Task<void> RunningVolume::attach() {
  shipping_->start(*engine_);
  co_return;
}

void RunningVolume::open_tiers(const Settings& settings) {
  if (stores_->tiers().empty()) return;
  keep_freed_memory();
  tiers_ = std::make_unique<RunningTiers>(*stores_, RunningTiers::Parts{*meta_, *store_, *blocking_pool_}, settings,
                                          record_.chunk_bytes, key_);
  if (shipping_) tiers_->ship_metadata(*shipping_);
  if (in_bucket_) tiers_->count_metadata(engine());  // the folder is a cache, and its metadata most of it perhaps
}

io::Task<Result<void>> RunningVolume::stop() {
  Result<void> result;
  const bool was_started = std::exchange(started_, false);
  if (was_started) result = co_await volume_->stop();
  ending_.cancel();
  co_await keeping_.close();
  if (handover_) co_await handover_->stop();
  if (follower_) {
    co_await follower_->close();
    co_return result;
  }
  // A session that did not end cleanly is what tells the next start to recover.
  if (was_started && result) result = co_await meta::end_session(*engine_);
  if (!shipping_) co_return result;
  const Result<void> shipped = co_await shipping_->stop();
  if (in_bucket_ && result) result = shipped;
  // Everything else that failed then failed because of this.
  if (const Status permitted = shipping_->permitted(); in_bucket_ && !permitted.ok()) result = fail(permitted);
  co_return result;
}

Result<void> RunningVolume::close() {
  Result<void> result;
  if (engine_ || shipping_ || follower_) result = io::block_on(*reactors_, stop());
  if (volume_) writes_lost_ = volume_->writes_lost();
  volume_.reset();
  if (stores_) io::block_on(*reactors_, stores_->close());
  store_.reset();
  meta_.reset();
  events_.reset();
  if (engine_) {
    const Result<void> closed = io::block_on(*reactors_, engine_->close());
    if (result) result = closed;
  }
  if (reactors_) reactors_->stop();
  tiers_.reset();
  handover_.reset();
  disk_.reset();
  engine_.reset();
  follower_.reset();
  shipping_.reset();
  stores_.reset();
  reactors_.reset();
  blocking_pool_.reset();
  return result;
}

}  // namespace firn::cli
