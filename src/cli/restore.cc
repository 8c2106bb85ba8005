// firn restore: a volume from a colder tier alone.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/hex.h"
#include "cli/command.h"
#include "cli/files.h"
#include "cli/folder_marker.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/running_volume.h"
#include "cli/secret.h"
#include "cli/store_advice.h"
#include "cli/store_check.h"
#include "cli/stores.h"
#include "cli/volume_object.h"
#include "io/block_on.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "tier/metadata/check.h"
#include "tier/metadata/restore.h"
#include "tier/metadata/takeover.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Makes the folder VOLUME from what a volume's coldest tier holds: its metadata, to the newest state that arrived "
    "there.\n"
    "Files come back as they are read, or all at once with firn tier warm. A file of which the newest version had not\n"
    "arrived is what was uploaded of it last; one that was never uploaded, or that its policy kept out of this tier\n"
    "(firn tier set --skip), cannot be read from it. All of these are listed in VOLUME/restore.txt.\n\n"
    "The tier's store must keep two writers apart, as firn init requires it: it is asked first.\n"
    "If the volume that all this came from still runs, it can put nothing into the tier from then on.\n\n"
    "  firn restore s3://bucket/prefix ./vol2 && firn mount ./vol2 /mnt/firn";

struct Arguments {
  std::string url, volume, key_file;
  bool rewind = false;
  bool json = false;
};

struct Lost {
  uint64_t older = 0;      // the version before the newest is there
  uint64_t gone = 0;       // nothing is, it had not arrived
  uint64_t elsewhere = 0;  // this tier was not to have it, another was
  uint64_t local = 0;      // no tier was to have it
  std::string list;

  uint64_t count() const { return older + gone + elsewhere + local; }
};

// Whether the last tier has what was uploaded of the file.
io::Task<Result<bool>> is_in_last_tier(meta::LocalService& service, InodeId inode, uint32_t last_tier) {
  constexpr size_t kPage = 256;
  std::string blob;
  for (ChunkIndex first;;) {
    const std::vector<meta::Chunk> page = CO_TRY(co_await service.list_chunks(inode, first, kPage));
    for (const meta::Chunk& chunk : page) {
      if (chunk.blob == blob) continue;
      blob = chunk.blob;
      if ((CO_TRY(co_await service.get_blob(blob)).tiers & last_tier) == 0) co_return false;
    }
    if (page.size() < kPage) co_return true;
    first = ChunkIndex(page.back().index.value + 1);
  }
}

// What of a file is not there; empty: all of it is.
io::Task<Result<std::string>> what_is_lost(meta::LocalService& service, const meta::Attr& attr, uint32_t last_tier,
                                           Lost* lost) {
  const meta::Content& content = attr.content;
  const bool changed = content.generation != content.uploaded_generation;
  if (attr.nlink == 0 || !content.settled || (!changed && attr.policy.skip == 0)) co_return "";
  if (!content.uploaded_size) {
    const bool local = attr.policy.skips_every_tier();
    (local ? lost->local : lost->gone) += 1;
    co_return local ? "was to be in no tier, and was on the local disk only" : "was never uploaded whole";
  }
  if (!CO_TRY(co_await is_in_last_tier(service, attr.inode, last_tier))) {
    ++lost->elsewhere;
    co_return "was kept out of this tier; what was uploaded of it is in others";
  }
  if (!changed) co_return "";
  ++lost->older;
  co_return "is the version that was uploaded last";
}

// What came back of files that tiers did not have as they were, or were not to have.
io::Task<Result<Lost>> look_for_losses(kv::Engine& engine, uint64_t hot_id, uint32_t last_tier) {
  constexpr size_t kPage = 512;
  constexpr size_t kListed = 10'000;
  meta::LocalService service(engine, {.hot_id = hot_id, .tiered = true});
  Lost lost;
  for (InodeId after;;) {
    const meta::InodePage page = CO_TRY(co_await service.list_inodes(after, kPage));
    for (const meta::Attr& attr : page.inodes) {
      const std::string what = CO_TRY(co_await what_is_lost(service, attr, last_tier, &lost));
      if (!what.empty() && lost.count() <= kListed) lost.list += fmt::format("inode {}: {}\n", attr.inode.value, what);
    }
    if (!page.last) break;
    after = page.last;
  }
  co_return lost;
}

io::Task<Result<void>> keep_wrapped_key(kv::Engine& engine, std::string wrapped_key) {
  meta::VolumeSettings record = CO_TRY(co_await meta::load_volume(engine));
  if (record.wrapped_key == wrapped_key) co_return Result<void>();
  record.wrapped_key = std::move(wrapped_key);
  co_return co_await meta::save_volume(engine, std::move(record));
}

class Restore {
 public:
  Restore(const Arguments& arguments, VolumePaths paths) : arguments_(arguments), paths_(std::move(paths)) {}

  Result<void> run() {
    pool_ = io::make_thread_pool(4);
    reactors_ = TRY(io::ReactorPool::create({.reactors = 1}));
    place_ = TRY(parse_place_here("tier=" + arguments_.url));
    store_ = TRY(open_place(place_, {}, "", *pool_, object::s3::Environment::of_process(), {.last = true}));
    store_ = object::retrying(object::limited(std::move(store_), {}), {}, system_random());
    Result<void> done = restore();
    io::block_on(*reactors_, store_->close());
    reactors_->stop();
    return done;
  }

  void tell() const {
    if (arguments_.json)
      return print_json({{"volume", arguments_.volume},
                         {"id", to_hex(record_.id)},
                         {"name", record_.name},
                         {"given_up", given_up_},
                         {"older", lost_.older},
                         {"gone", lost_.gone},
                         {"elsewhere", lost_.elsewhere},
                         {"local_only", lost_.local}});
    fmt::print("restored {} from {}{}; mount it with: firn mount {} MOUNTPOINT\n", arguments_.volume, arguments_.url,
               record_.name.empty() ? "" : fmt::format(" (made as {})", record_.name), arguments_.volume);
    if (!given_up_.empty())
      fmt::print("it is the state before {}; what was committed after that is given up\n", given_up_);
    if (lost_.older + lost_.gone > 0)
      fmt::print("{} files are the version that was uploaded last, {} were never uploaded whole\n", lost_.older,
                 lost_.gone);
    if (lost_.elsewhere > 0)
      fmt::print("{} files were kept out of this tier: they can be read while a tier that has them is within reach\n",
                 lost_.elsewhere);
    if (lost_.local > 0)
      fmt::print("{} files were kept out of every tier: they were on the local disk only\n", lost_.local);
    if (lost_.count() > 0) fmt::print("see {}/restore.txt\n", arguments_.volume);
  }

 private:
  Result<void> restore() {
    Result<meta::VolumeSettings> record = io::block_on(*reactors_, read_volume_object(*store_));
    if (!record) return fail(record.error().code(), record.error().to_string() + advice_on(record.error(), place_));
    record_ = *std::move(record);
    if (record_.durability == "object")
      return fail(Code::kInvalid,
                  fmt::format("{}: the volume lives there, there is nothing to restore; use it with: firn "
                              "mount {} MOUNTPOINT",
                              arguments_.url, arguments_.url));
    std::optional<std::string> secret;
    if (!record_.wrapped_key.empty())
      secret = TRY(read_secret({.key_file = arguments_.key_file, .question = "Passphrase of " + record_.name}));
    const std::optional<tier::Key> key = TRY(open_key(record_, secret));
    const tier::Bucket bucket{.store = *store_, .pool = *pool_, .random = system_random(), .key = key};
    TRY(io::block_on(*reactors_, look_for_metadata(bucket)));
    TRY(io::block_on(*reactors_, ask_last_tier(*store_, named(place_), nullptr)));
    FolderMarker marker = TRY(begin_folder());
    TRY(remember_checked(paths_, store_->describe()));
    failpoint("restore.after_marker");
    TRY(io::block_on(*reactors_, bring_back(bucket)));
    failpoint("restore.after_metadata");
    TRY(write_file(paths_.config(), render_settings(settings_of(record_, place_, arguments_.key_file))));
    if (!lost_.list.empty()) TRY(write_file(paths_.root + "/restore.txt", lost_.list));
    failpoint("restore.before_end");
    TRY(marker.remove());
    failpoint("restore.after_end");
    return {};
  }

  // The name that the volume was made with: it is the one in its firn.toml.
  Place named(Place place) const {
    if (!record_.tiers.empty()) place.name = record_.tiers.back().name;
    return place;
  }

  Result<FolderMarker> begin_folder() {
    TRY(make_folder(paths_.root));
    FolderMarker marker = TRY(FolderMarker::take(paths_, {.maker = Maker::kRestore, .from = arguments_.url}));
    hot_id_ = TRY(start_anew(paths_));
    return marker;
  }

  // Another tier than the last has none. And all of it is read once before it is taken from a daemon that may be well,
  // and mend what is damaged: nothing has been begun yet.
  io::Task<Result<void>> look_for_metadata(tier::Bucket bucket) const {
    ProgressBar bar("checking the metadata");
    const tier::MetadataReport report = CO_TRY(co_await tier::check_metadata(
        bucket, {.progress = [&bar](uint64_t bytes) { bar.show({.bytes = bytes}); }}, nullptr));
    bar.clear();
    if (report.root == 0)
      co_return fail(Code::kNotFound,
                     bucket.store.describe() + ": no metadata is there; restore from the volume's last tier");
    const auto of_log = [](const tier::MetadataDamage& one) { return one.object.starts_with(tier::kLogPrefix); };
    const bool leads_past = std::ranges::all_of(report.damage, of_log);
    if (report.clean() || (arguments_.rewind && leads_past)) co_return Result<void>();
    const tier::MetadataDamage& first = report.damage.front();
    const std::string more =
        report.damage.size() > 1 ? fmt::format(", and {} more are damaged", report.damage.size() - 1) : "";
    co_return fail(
        Code::kCorrupt,
        fmt::format("{}: {}: {}{}; nothing was changed. A daemon that still serves the volume "
                    "mends it: firn scrub there{}",
                    bucket.store.describe(), first.object, first.what.message(), more,
                    leads_past ? ". If there is none any more, --rewind goes back to the state before it, and "
                                 "gives up what was committed after it"
                               : ""));
  }

  io::Task<Result<void>> bring_back(tier::Bucket bucket) {
    const std::string database = CO_TRY(database_id(paths_));
    tier::TakeOverOptions take{.volume = record_.id};
    std::memcpy(take.database.data(), database.data(), take.database.size());
    (void)CO_TRY(co_await tier::take_over(bucket, take));
    failpoint("restore.after_takeover");
    ProgressBar bar("restoring");
    tier::RestoreOptions options{
        .volume = record_.id, .rewinds = arguments_.rewind, .on_progress = [&bar](const tier::RestoreProgress& now) {
          bar.show(
              {.files = now.tables_done, .total_files = now.tables, .bytes = now.bytes_done, .total_bytes = now.bytes});
        }};
    tier::Restored restored = CO_TRY(co_await tier::restore_metadata(
        bucket, kv::make_rocksdb_restore_target({.path = paths_.meta(), .create = true, .blocking_pool = pool_.get()}),
        options));
    bar.clear();
    if (!restored.given_up.ok())
      given_up_ = fmt::format("{} ({})", tier::log_key(restored.position.next_log), restored.given_up.message());
    // The log may be older than the last change of what opens the volume.
    Result<void> kept = co_await keep_wrapped_key(*restored.engine, record_.wrapped_key);
    const uint32_t last_tier = record_.tiers.empty() ? 1 : uint32_t{1} << (record_.tiers.size() - 1);
    Result<Lost> lost = co_await look_for_losses(*restored.engine, hot_id_, last_tier);
    const Result<void> closed = co_await restored.engine->close();
    lost_ = CO_TRY(std::move(lost));
    CO_TRY(std::move(kept));
    co_return closed;
  }

  const Arguments arguments_;
  const VolumePaths paths_;
  std::unique_ptr<io::BlockingPool> pool_;
  std::unique_ptr<io::ReactorPool> reactors_;
  Place place_;
  std::unique_ptr<object::ObjectStore> store_;
  meta::VolumeSettings record_;
  uint64_t hot_id_ = 0;
  Lost lost_;
  std::string given_up_;  // from where on; empty: nothing
};

Result<int> restore(const Arguments& arguments) {
  const Probe probe = TRY(probe_folder(arguments.volume));
  TRY(check_vacant(arguments.volume, probe, "choose another folder"));
  Arguments given = arguments;
  if (!given.key_file.empty()) given.key_file = absolute_path(given.key_file);
  Restore work(given, probe.paths);
  TRY(work.run());
  work.tell();
  return kExitOk;
}

}  // namespace

void add_restore(Command& firn) {
  Command command = firn.add("restore", "Make a volume from what its coldest tier holds", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("URL", arguments->url, "The tier: s3://bucket/prefix, or a folder").required();
  command.value("VOLUME", arguments->volume, "The folder to make").required();
  command.value("--key-file", arguments->key_file, "What opens an encrypted volume, instead of a passphrase")
      .called("FILE");
  command.flag("--rewind", arguments->rewind,
               "Where the log of the metadata has a gap: go back to the state before it");
  command.json(arguments->json, "What came back as one JSON value");
  command.runs([arguments] { return restore(*arguments); });
}

}  // namespace firn::cli
