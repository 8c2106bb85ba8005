#include "cli/running_volume.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "cli/secret.h"
#include "data/hot/hot_store.h"
#include "io/uring/uring_disk.h"
#include "kv/rocksdb/rocksdb_engine.h"

namespace firn::cli {
namespace {

constexpr rlim_t kWantedDescriptors = 1 << 20;
constexpr uint64_t kReservedDescriptors = 512;  // RocksDB's tables, rings, sockets, the log

std::string advice_for(const Status& status, const VolumePaths& paths) {
  switch (status.code()) {
    case Code::kReadOnly:
      return "the disk is read-only; remount it writable";
    case Code::kNoSpace:
      return "the disk is full; free some space on it";
    case Code::kAccessDenied:
    case Code::kNotPermitted:
      return "mount as the user who owns the volume, or as root";
    case Code::kCorrupt:
      return fmt::format("look with: firn fsck {}; restore meta/ from a backup if that cannot repair it", paths.root);
    case Code::kNotFound:
      return "the metadata is missing; restore meta/ from a backup";
    default:
      return fmt::format("see {}", paths.log());
  }
}

Result<std::unique_ptr<kv::Engine>> open_engine(const VolumePaths& paths, const Settings& settings,
                                                io::BlockingPool& pool) {
  auto engine = kv::open_rocksdb({.path = paths.meta(),
                                  .block_cache_bytes = settings.block_cache_bytes,
                                  .memtable_bytes = settings.memtable_bytes,
                                  .blocking_pool = &pool,
                                  .log = [](std::string_view line) { log::warning("rocksdb: {}", line); }});
  if (engine) return engine;
  return fail(engine.error().code(),
              fmt::format("{}: {}; {}", paths.meta(), engine.error().to_string(), advice_for(engine.error(), paths)));
}

// Chunks are megabytes, and come and go: given back to the kernel each time, their pages cost more than their bytes.
void keep_freed_memory() {
  constexpr int kLargest = 32 << 20;
  mallopt(M_MMAP_THRESHOLD, kLargest);
  mallopt(M_TRIM_THRESHOLD, 8 * kLargest);
}

io::Task<Result<void>> start_shipping(Shipping& shipping) {
  shipping.start();
  co_return {};
}

io::Task<Result<void>> close_stores(Stores& stores) {
  co_await stores.close();
  co_return {};
}

io::Task<Result<void>> close_tiers(RunningTiers& tiers) {
  co_await tiers.close();
  co_return {};
}

}  // namespace

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

uint64_t fit_descriptors(Settings& settings) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  rlimit wanted = limit;
  // Only root may raise the hard limit; others take what there is.
  wanted.rlim_cur = wanted.rlim_max = std::max(limit.rlim_max, kWantedDescriptors);
  if (limit.rlim_max < kWantedDescriptors && setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  // A quarter each for the pool and the recent files leaves half for files that are open.
  const auto quarter =
      static_cast<int64_t>(std::max<uint64_t>(limit.rlim_cur, kReservedDescriptors * 2) - kReservedDescriptors) / 4;
  settings.scratch_max_files = std::clamp<int64_t>(settings.scratch_max_files, 1, quarter);
  settings.scratch_min_files = std::min(settings.scratch_min_files, settings.scratch_max_files);
  settings.recent_files = std::min(settings.recent_files, quarter);
  return limit.rlim_cur;
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
  if (!std::filesystem::is_directory(paths.hot()))
    return fail(
        Code::kNotFound,
        fmt::format("{}: it holds the larger files' content and is missing; restore it from a backup", paths.hot()));
  blocking_pool_ = io::make_thread_pool(static_cast<unsigned>(settings.blocking_threads));
  reactors_ = TRY(io::ReactorPool::create({.reactors = static_cast<unsigned>(settings.reactor_threads),
                                           .spin_us = static_cast<unsigned>(settings.spin_us)}));
  engine_ = TRY(open_engine(paths, settings, *blocking_pool_));
  const uint64_t hot_id = TRY(read_hot_id(paths));
  Result<void> loaded = io::block_on(*reactors_, load_record());
  if (loaded) {
    stores_ = TRY(Stores::open(settings.tiers, settings.s3, record_, {.pool = *blocking_pool_}));
    loaded = io::block_on(*reactors_, start_metadata(settings, hot_id));
  }
  if (!loaded)
    return fail(loaded.error().code(),
                fmt::format("{}: {}; {}", paths.meta(), loaded.error().to_string(), advice_for(loaded.error(), paths)));
  disk_ = io::make_uring_disk(*blocking_pool_);
  store_ = data::make_hot_store({.disk = *disk_,
                                 .root = paths.hot(),
                                 .min_ready = static_cast<size_t>(settings.scratch_min_files),
                                 .max_ready = static_cast<size_t>(settings.scratch_max_files),
                                 .recent_objects = static_cast<size_t>(settings.recent_files)});
  TRY(open_tiers(paths, settings, flags));
  volume_ = vfs::make_volume({.meta = *meta_,
                              .data = *store_,
                              .clock = system_clock(),
                              .pool = *blocking_pool_,
                              .inline_max_bytes = settings.inline_max_bytes,
                              .boot_session = boot_session_,
                              .clean = was_clean_,
                              .read_only = flags.read_only,
                              .no_atime = flags.no_atime,
                              .sync_interval_ns = settings.sync_interval_ns,
                              .tiers = tiers_ ? &tiers_->parts() : nullptr});
  handover_ = std::make_unique<Handover>(*engine_, *blocking_pool_, settings.handover_interval_ns);
  handover_->start(*reactors_);
  TRY(io::block_on(*reactors_, volume_->start()));
  if (shipping_) io::block_on(*reactors_, start_shipping(*shipping_));
  started_ = true;
  return {};
}

io::Task<Result<void>> RunningVolume::load_record() {
  record_ = CO_TRY(co_await meta::load_volume(*engine_));
  co_return {};
}

Result<void> RunningVolume::open_shipping(const VolumePaths& paths, const Settings& settings,
                                          std::optional<tier::Key> key) {
  const std::string database = TRY(database_id(paths));
  Shipping::Options options{.bucket = {.store = tiers_->stores().tiers().back().store,
                                       .pool = *blocking_pool_,
                                       .random = system_random(),
                                       .key = key,
                                       .codec = codec_of(settings.tiers)},
                            .volume_id = record_.id,
                            .ship = {.flush_interval_ns = settings.tiers.flush_interval_ns,
                                     .flush_bytes = settings.tiers.flush_bytes,
                                     .drop_when_full = true,
                                     .retention = {.grace_ns = settings.tiers.retention_ns},
                                     .keep_lease = false}};
  std::memcpy(options.database.data(), database.data(), options.database.size());
  shipping_ = std::make_unique<Shipping>(std::move(options), *engine_);
  tiers_->ship_metadata(*shipping_);
  return {};
}

Result<void> RunningVolume::open_tiers(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags) {
  const auto key = open_key(record_, flags.secret);
  if (!key) return fail(key.error());
  if (stores_->tiers().empty()) return {};
  keep_freed_memory();
  tiers_ = std::make_unique<RunningTiers>(std::move(stores_), RunningTiers::Parts{*meta_, *store_, *blocking_pool_},
                                          settings, record_.chunk_bytes, *key);
  return flags.read_only ? Result<void>() : open_shipping(paths, settings, *key);
}

io::Task<Result<void>> RunningVolume::start_metadata(const Settings& settings, uint64_t hot_id) {
  const meta::Session session = CO_TRY(co_await meta::begin_session(*engine_, boot_id()));
  boot_session_ = session.number;
  was_clean_ = session.clean;
  meta_ = std::make_unique<meta::LocalService>(
      *engine_, meta::Options{.inode_cache_entries = static_cast<size_t>(settings.inode_cache_entries),
                              .dirent_cache_entries = static_cast<size_t>(settings.dirent_cache_entries),
                              .boot_session = boot_session_,
                              .hot_id = hot_id,
                              .tiered = !stores_->tiers().empty()});
  co_return {};
}

io::Task<Result<void>> RunningVolume::stop() {
  Result<void> result;
  const bool was_started = std::exchange(started_, false);
  if (was_started) result = co_await volume_->stop();
  if (handover_) co_await handover_->stop();
  // A session that did not end cleanly is what tells the next start to recover.
  if (was_started && result) result = co_await meta::end_session(*engine_);
  if (shipping_) co_await shipping_->stop();
  co_return result;
}

Result<void> RunningVolume::close() {
  Result<void> result;
  if (engine_) {
    result = io::block_on(*reactors_, stop());
    volume_.reset();
    if (stores_) io::block_on(*reactors_, close_stores(*stores_));
    if (tiers_) io::block_on(*reactors_, close_tiers(*tiers_));
    store_.reset();
    meta_.reset();
    const Result<void> closed = io::block_on(*reactors_, engine_->close());
    if (result) result = closed;
  }
  if (reactors_) reactors_->stop();
  shipping_.reset();
  tiers_.reset();
  stores_.reset();
  handover_.reset();
  disk_.reset();
  engine_.reset();
  reactors_.reset();
  blocking_pool_.reset();
  return result;
}

}  // namespace firn::cli
