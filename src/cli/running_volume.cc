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
#include "cli/files.h"
#include "cli/secret.h"
#include "cli/volume_object.h"
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

void log_rocksdb(std::string_view line) { log::warning("rocksdb: {}", line); }

Result<std::unique_ptr<kv::Engine>> open_engine(const VolumePaths& paths, const Settings& settings,
                                                io::BlockingPool& pool) {
  auto engine = kv::open_rocksdb({.path = paths.meta(),
                                  .block_cache_bytes = settings.block_cache_bytes,
                                  .memtable_bytes = settings.memtable_bytes,
                                  .blocking_pool = &pool,
                                  .log = log_rocksdb});
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

Status make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directory(path, error);
  return error ? Status::from_errno(error.value(), path) : Status();
}

// How long a change that nobody waits for stays here.
int64_t log_interval(const Settings& settings) {
  const bool in_bucket = settings.tiers.durability == "object";
  return in_bucket ? settings.sync_interval_ns : settings.tiers.flush_interval_ns;
}

// What the folder holds is worth nothing: another daemon may have changed the volume since. A new id for hot/ says so
// to the records.
Result<uint64_t> empty_cache(const VolumePaths& paths) {
  for (const std::string& path : {paths.meta(), paths.hot(), paths.hot_id(), paths.database()}) TRY(remove_all(path));
  TRY(make_folder(paths.hot()));
  uint64_t id = 0;
  while (id == 0) id = system_random().next();
  TRY(write_hot_id(paths, id));
  return id;
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
                              .sync_interval_ns = settings.sync_interval_ns,
                              .tiers = tiers_ ? &tiers_->parts() : nullptr,
                              .durable_in_tiers = in_bucket_,
                              .follows = follower_ != nullptr});
  handover_ = std::make_unique<Handover>(engine(), *blocking_pool_, settings.handover_interval_ns);
  if (!follower_) handover_->start(*reactors_);  // there is nothing of its own to hand over
  TRY(io::block_on(*reactors_, volume_->start()));
  if (shipping_ && !in_bucket_) io::block_on(*reactors_, attach());
  started_ = true;
  return {};
}

io::Task<void> RunningVolume::attach() {
  shipping_->start(*engine_);
  co_return;
}

Result<void> RunningVolume::open_here(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags) {
  if (!std::filesystem::is_directory(paths.hot()))
    return fail(
        Code::kNotFound,
        fmt::format("{}: it holds the larger files' content and is missing; restore it from a backup", paths.hot()));
  engine_ = TRY(open_engine(paths, settings, *blocking_pool_));
  const uint64_t hot_id = TRY(read_hot_id(paths));
  Result<void> loaded = io::block_on(*reactors_, load_record());
  if (loaded && record_.durability == "object")
    return fail(Code::kInvalid,
                fmt::format("{}: tiers.durability is local, but the volume was made with object: what is "
                            "in this folder is a cache of {}; set it back",
                            paths.config(), record_.tiers.empty() ? "" : record_.tiers.back().url));
  if (loaded) {
    stores_ = TRY(Stores::open(settings.tiers, settings.s3, record_, {.pool = *blocking_pool_}));
    loaded = io::block_on(*reactors_, start_metadata(settings, hot_id));
  }
  if (!loaded)
    return fail(loaded.error().code(),
                fmt::format("{}: {}; {}", paths.meta(), loaded.error().to_string(), advice_for(loaded.error(), paths)));
  key_ = TRY(open_key(record_, flags.secret));
  if (stores_->tiers().empty() || flags.read_only) return {};
  const std::string id = TRY(database_id(paths));
  tier::Bytes16 database{};
  std::memcpy(database.data(), id.data(), database.size());
  prepare_shipping(settings, flags, database);
  return {};
}

Result<void> RunningVolume::open_bucket(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags) {
  const std::vector<Place> places = TRY(parse_places(settings.tiers.stores));
  record_ = TRY(fetch_volume_object(places.back(), settings.s3));
  if (record_.durability != "object")
    return fail(Code::kInvalid, fmt::format("{}: tiers.durability is object, but the volume in {} was made with local; "
                                            "set it back",
                                            paths.config(), places.back().url));
  stores_ = TRY(Stores::open(settings.tiers, settings.s3, record_, {.pool = *blocking_pool_}));
  key_ = TRY(open_key(record_, flags.secret));
  const uint64_t hot_id = TRY(empty_cache(paths));
  if (flags.read_only) {
    TRY(follow(paths, settings));
  } else {
    TRY(open_from_bucket(paths, settings, flags));
  }
  return io::block_on(*reactors_, start_metadata(settings, hot_id));
}

// The database that is made of what the bucket has.
kv::RocksdbOptions RunningVolume::cached_database(const std::string& path, const Settings& settings) {
  return {.path = path,
          .create = true,
          .logged = false,
          .block_cache_bytes = settings.block_cache_bytes,
          .memtable_bytes = settings.memtable_bytes,
          .blocking_pool = blocking_pool_.get(),
          .log = log_rocksdb};
}

Result<void> RunningVolume::open_from_bucket(const VolumePaths& paths, const Settings& settings,
                                             const OpenFlags& flags) {
  tier::Bytes16 database{};
  system_random().fill(std::as_writable_bytes(std::span(database)));
  prepare_shipping(settings, flags, database);
  auto target = kv::make_rocksdb_restore_target(cached_database(paths.meta(), settings));
  engine_ = TRY(io::block_on(*reactors_, shipping_->open(std::move(target), {})));
  log::info("took over {}: epoch {}; whoever served it before cannot change it any more", stores_->info().back().store,
            shipping_->report().status.epoch);
  return {};
}

Result<void> RunningVolume::follow(const VolumePaths& paths, const Settings& settings) {
  if (const Status made = make_folder(paths.meta()); !made.ok()) return fail(made);
  auto make_target = [this, settings, folder = paths.meta(), number = 0]() mutable {
    return kv::make_rocksdb_restore_target(cached_database(fmt::format("{}/{}", folder, number++), settings));
  };
  follower_ = std::make_unique<Following>(bucket(settings), record_.id, settings.tiers.follow_interval_ns,
                                          std::move(make_target));
  TRY(io::block_on(*reactors_, follower_->open()));
  log::info("following {}", stores_->info().back().store);
  return {};
}

tier::Bucket RunningVolume::bucket(const Settings& settings) {
  return {.store = stores_->tiers().back().store,
          .pool = *blocking_pool_,
          .random = system_random(),
          .key = key_,
          .codec = codec_of(settings.tiers)};
}

io::Task<Result<void>> RunningVolume::load_record() {
  record_ = CO_TRY(co_await meta::load_volume(*engine_));
  co_return {};
}

void RunningVolume::prepare_shipping(const Settings& settings, const OpenFlags& flags, tier::Bytes16 database) {
  shipping_ =
      std::make_unique<Shipping>(Shipping::Options{.bucket = {.store = stores_->tiers().back().store,
                                                              .pool = *blocking_pool_,
                                                              .random = system_random(),
                                                              .key = key_,
                                                              .codec = codec_of(settings.tiers)},
                                                   .volume_id = record_.id,
                                                   .database = database,
                                                   .ship = {.flush_interval_ns = log_interval(settings),
                                                            .flush_bytes = settings.tiers.flush_bytes,
                                                            .drop_when_full = !in_bucket_,
                                                            .retention = {.grace_ns = settings.tiers.retention_ns},
                                                            .keep_lease = in_bucket_},
                                                   .on_lost = in_bucket_ ? flags.on_lost : nullptr});
}

void RunningVolume::open_tiers(const Settings& settings) {
  if (stores_->tiers().empty()) return;
  keep_freed_memory();
  tiers_ = std::make_unique<RunningTiers>(*stores_, RunningTiers::Parts{*meta_, *store_, *blocking_pool_}, settings,
                                          record_.chunk_bytes, key_);
  if (shipping_) tiers_->ship_metadata(*shipping_);
}

io::Task<Result<void>> RunningVolume::start_metadata(const Settings& settings, uint64_t hot_id) {
  if (!follower_) {
    const meta::Session session = CO_TRY(co_await meta::begin_session(*engine_, boot_id()));
    boot_session_ = session.number;
    was_clean_ = session.clean;
  }
  meta_ = std::make_unique<meta::LocalService>(
      engine(), meta::Options{.exclusive_owner = !follower_,
                              .inode_cache_entries = static_cast<size_t>(settings.inode_cache_entries),
                              .dirent_cache_entries = static_cast<size_t>(settings.dirent_cache_entries),
                              .boot_session = boot_session_,
                              .hot_id = hot_id,
                              .tiered = !stores_->tiers().empty(),
                              .journals_inline = in_bucket_});
  co_return {};
}

io::Task<Result<void>> RunningVolume::stop() {
  Result<void> result;
  const bool was_started = std::exchange(started_, false);
  if (was_started) result = co_await volume_->stop();
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
  volume_.reset();
  if (stores_) io::block_on(*reactors_, stores_->close());
  store_.reset();
  meta_.reset();
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
