// Where a volume's metadata comes from: its own folder, or a bucket.
#include <fmt/format.h>

#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "cli/files.h"
#include "cli/running_volume.h"
#include "cli/secret.h"
#include "cli/store_check.h"
#include "cli/volume_object.h"

namespace firn::cli {
namespace {

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

// What lies there goes with it.
class PassingFolder {
 public:
  PassingFolder(std::string path, io::BlockingPool& pool) : path_(std::move(path)), pool_(pool) {}
  PassingFolder(const PassingFolder&) = delete;
  PassingFolder& operator=(const PassingFolder&) = delete;
  ~PassingFolder() {
    pool_.submit([path = path_] {
      if (const Status removed = remove_all(path); !removed.ok()) log::warning("{}", removed.to_string());
    });
  }

 private:
  const std::string path_;
  io::BlockingPool& pool_;
};

void log_rocksdb(std::string_view line) { log::warning("rocksdb: {}", line); }

Result<std::unique_ptr<kv::Engine>> open_engine(const VolumePaths& paths, const Settings& settings,
                                                io::BlockingPool& pool) {
  auto engine = kv::open_rocksdb({.path = paths.meta(),
                                  .block_cache_bytes = settings.block_cache_bytes,
                                  .memtable_bytes = settings.memtable_bytes,
                                  .reserve_bytes = settings.memtable_bytes,
                                  .blocking_pool = &pool,
                                  .log = log_rocksdb});
  if (engine) return engine;
  return fail(engine.error().code(),
              fmt::format("{}: {}; {}", paths.meta(), engine.error().to_string(), advice_for(engine.error(), paths)));
}

Result<tier::Bytes16> own_database(const VolumePaths& paths) {
  const std::string id = TRY(database_id(paths));
  tier::Bytes16 database{};
  std::memcpy(database.data(), id.data(), database.size());
  return database;
}

// The kernel answers for a while longer.
int64_t stated_lease(int64_t lease_ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  return lease_ns == 0 ? 0 : lease_ns + static_cast<int64_t>(kKernelRemembersS) * kSecond;
}

// How long a change that nobody waits for stays here.
int64_t log_interval(const Settings& settings) {
  const bool in_bucket = settings.tiers.durability == "object";
  return in_bucket ? settings.sync_interval_ns : settings.tiers.flush_interval_ns;
}

}  // namespace

Result<void> RunningVolume::open_here(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags) {
  if (flags.rewinds)
    return fail(Code::kInvalid, "--rewind is for volumes that live in a bucket: this one's metadata is in its folder");
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
  prepare_shipping(paths, settings, flags, TRY(own_database(paths)));
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
  // What the folder holds is worth nothing: another daemon may have changed the volume since.
  const tier::Bytes16 former = TRY(own_database(paths));
  const uint64_t hot_id = TRY(start_anew(paths));
  if (flags.read_only) {
    TRY(follow(paths, settings));
  } else {
    TRY(open_from_bucket(paths, settings, flags, former));
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

Result<void> RunningVolume::open_from_bucket(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags,
                                             tier::Bytes16 former) {
  // Whoever wrote from this folder held its lock, which is ours by now.
  prepare_shipping(paths, settings, flags, TRY(own_database(paths)), former);
  const auto make_target = [&] {
    if (const Status removed = remove_all(paths.meta()); !removed.ok()) log::warning("{}", removed.to_string());
    return kv::make_rocksdb_restore_target(cached_database(paths.meta(), settings));
  };
  engine_ = TRY(io::block_on(*reactors_, shipping_->open(make_target, flags.rewinds)));
  log::info("took over {}: epoch {}; whoever served it before cannot change it any more", stores_->info().back().store,
            shipping_->report().status.epoch);
  return {};
}

Result<void> RunningVolume::follow(const VolumePaths& paths, const Settings& settings) {
  TRY(make_folder(paths.meta()));
  auto make_target = [this, settings, folder = paths.meta(), number = 0]() mutable {
    const std::string path = fmt::format("{}/{}", folder, number++);
    return tier::FollowTarget(kv::make_rocksdb_restore_target(cached_database(path, settings)),
                              std::make_shared<PassingFolder>(path, *blocking_pool_));
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

void RunningVolume::prepare_shipping(const VolumePaths& paths, const Settings& settings, const OpenFlags& flags,
                                     tier::Bytes16 database, tier::Bytes16 own_database) {
  const int64_t lease_ns = in_bucket_ ? settings.tiers.lease_ns : 0;
  auto check_store = [this, paths](io::CancelToken* token) {
    return check_last_tier(stores_->tiers().back().store, stores_->last_place(), paths, *blocking_pool_, token);
  };
  shipping_ = std::make_unique<Shipping>(
      Shipping::Options{.bucket = {.store = stores_->tiers().back().store,
                                   .pool = *blocking_pool_,
                                   .random = system_random(),
                                   .key = key_,
                                   .codec = codec_of(settings.tiers)},
                        .volume_id = record_.id,
                        .database = database,
                        .ship = {.flush_interval_ns = log_interval(settings),
                                 .flush_bytes = settings.tiers.flush_bytes,
                                 .drop_when_full = !in_bucket_,
                                 .asks_after = in_bucket_ ? tier::AskAfter::kSoon : tier::AskAfter::kFirst,
                                 .retention = {.grace_ns = settings.tiers.retention_ns},
                                 .keep_lease = in_bucket_,
                                 .lease_ns = lease_ns},
                        .lease_ns = stated_lease(lease_ns),
                        .own_database = own_database,
                        .check_store = std::move(check_store),
                        .on_lost = in_bucket_ ? flags.on_lost : nullptr});
}

io::Task<Result<void>> RunningVolume::open_events(const Settings& settings, uint64_t hot_id) {
  if (follower_) co_return Result<void>();  // another machine has the log of this history
  if (settings.events.keep == 0) co_return co_await meta::EventLog::forget(*engine_);
  const meta::EventLog::Options options{.hot_id = hot_id, .keep = static_cast<uint64_t>(settings.events.keep)};
  events_ = CO_TRY(co_await meta::EventLog::open(*engine_, options, system_random()));
  io::detach([](meta::EventLog* events, io::CancelToken* ending, io::Gate::Entry) -> io::Task<void> {
    co_await events->keep_short(ending);
  }(events_.get(), &ending_, keeping_.enter()));
  co_return Result<void>();
}

io::Task<Result<void>> RunningVolume::start_metadata(const Settings& settings, uint64_t hot_id) {
  if (!follower_) {
    const meta::Session session = CO_TRY(co_await meta::begin_session(*engine_, boot_id()));
    boot_session_ = session.number;
    was_clean_ = session.clean;
  }
  CO_TRY(co_await open_events(settings, hot_id));
  meta_ = std::make_unique<meta::LocalService>(
      engine(), meta::Options{.exclusive_owner = !follower_,
                              .inode_cache_entries = static_cast<size_t>(settings.inode_cache_entries),
                              .dirent_cache_entries = static_cast<size_t>(settings.dirent_cache_entries),
                              .boot_session = boot_session_,
                              .hot_id = hot_id,
                              .events = events_.get(),
                              .tiered = !stores_->tiers().empty(),
                              .journals_inline = in_bucket_});
  co_return {};
}

}  // namespace firn::cli
