// firn fsck: checks, and with --repair mends, a volume that nobody uses.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/bucket_metadata.h"
#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "cli/secret.h"
#include "cli/settings.h"
#include "cli/stores.h"
#include "cli/volume_folder.h"
#include "data/hot/hot_store.h"
#include "io/uring/reactor_pool.h"
#include "io/uring/uring_disk.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "meta/volume.h"
#include "tier/metadata/check.h"
#include "vfs/fsck/fsck.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Checks every invariant of VOLUME, which must not be in use: names, inodes, link counts, sizes, backing files,\n"
    "counters, and what is on record of colder tiers. Nothing is written without --repair. A repair loses nothing that "
    "is readable: unreachable files come "
    "to\n"
    "/lost+found, names that lead nowhere go. Of a volume that lives in a bucket the records are mended there, once it "
    "is\n"
    "mounted nowhere. Exit code 0: clean, or all repaired; 1: problems remain.";

struct Arguments {
  std::string volume;
  bool repair = false;
  bool deep = false;
  bool json = false;
};

io::Task<Result<meta::VolumeSettings>> load(kv::Engine& engine) { co_return co_await meta::load_volume(engine); }

io::Task<Result<vfs::FsckReport>> check(kv::Engine& engine, data::Store& store, vfs::FsckOptions options) {
  co_return co_await vfs::fsck(engine, store, std::move(options));
}

io::Task<Result<void>> close(kv::Engine& engine) { co_return co_await engine.close(); }

// What a restore would need, and does not find as it was put.
Result<void> check_metadata(tier::Bucket bucket, io::ReactorPool& reactors, vfs::FsckReport& report) {
  const auto found = io::block_on(reactors, tier::check_metadata(bucket, {}, nullptr));
  // Sealed, and nobody gave the key.
  if (!found && found.error() == Code::kAccessDenied) return {};
  if (!found) return fail(found.error());
  report.deep_objects += found->tables + found->logs + (found->root != 0 ? 1 : 0);
  report.deep_bytes += found->bytes;
  for (const tier::MetadataDamage& damage : found->damage)
    report.problems.push_back(
        {.what = "metadata in the coldest tier, " + damage.object + ": " + damage.what.to_string(), .by_scrub = true});
  return {};
}

// With everything that colder tiers hold, read and verified.
Result<vfs::FsckReport> check_deep(const VolumePaths& paths, const Settings& settings,
                                   const meta::VolumeSettings& record, io::ReactorPool& reactors,
                                   io::BlockingPool& pool, kv::Engine& engine, data::Store& store,
                                   vfs::FsckOptions options) {
  const std::optional<std::string> secret = TRY(secret_of(paths));
  const std::optional<tier::Key> key = TRY(open_key(record, secret));
  const std::unique_ptr<Stores> stores = TRY(Stores::open(settings.tiers, settings.s3, record, {.pool = pool}));
  const vfs::DeepCheck deep{.tiers = stores->tiers(), .key = key, .pool = pool};
  options.deep = &deep;
  auto report = io::block_on(reactors, check(engine, store, std::move(options)));
  if (report && !stores->tiers().empty()) {
    const Result<void> checked =
        check_metadata({.store = stores->tiers().back().store, .pool = pool, .random = system_random(), .key = key},
                       reactors, *report);
    if (!checked) report = fail(checked.error());
  }
  io::block_on(reactors, stores->close());
  return report;
}

Result<std::unique_ptr<kv::Engine>> open_engine(const VolumePaths& paths, bool read_only, io::BlockingPool& pool) {
  // A checker that writes nothing opens nothing for writing: it runs on a read-only disk too.
  auto engine = kv::open_rocksdb({.path = paths.meta(), .read_only = read_only, .blocking_pool = &pool});
  if (engine) return engine;
  return fail(engine.error().code(),
              fmt::format("{}: {}; restore meta/ from a backup", paths.meta(), engine.error().to_string()));
}

Result<vfs::FsckReport> run(const VolumePaths& volume, const Arguments& arguments) {
  // What is in the folder can be looked at whatever firn.toml says.
  const Result<Settings> settings = load_settings(volume.config());
  if (!settings && arguments.deep) return fail(settings.error());
  const bool in_bucket = settings && settings->tiers.durability == "object";
  const VolumePaths paths{in_bucket ? volume.root + "/fsck" : volume.root};
  const auto pool = io::make_thread_pool(2);
  const auto reactors = TRY(io::ReactorPool::create({.reactors = 1}));
  std::unique_ptr<BucketMetadata> fetched;
  std::unique_ptr<kv::Engine> local;
  if (in_bucket) {
    const BucketMetadata::Where where{volume, paths, *settings, *reactors, *pool};
    fetched = TRY(arguments.repair ? BucketMetadata::write(where) : BucketMetadata::read(where));
  } else {
    local = TRY(open_engine(paths, !arguments.repair, *pool));
  }
  kv::Engine& engine = fetched ? fetched->engine() : *local;
  const auto disk = io::make_uring_disk(*pool);
  auto store = data::make_hot_store({.disk = *disk, .root = paths.hot()});
  const bool terminal = isatty(STDERR_FILENO) != 0;
  // No backing in a cache is of the bucket's files.
  vfs::FsckOptions options{.repair = arguments.repair, .hot_id = in_bucket ? ~uint64_t{0} : TRY(read_hot_id(paths))};
  if (terminal)
    options.progress = [](std::string_view phase, uint64_t count) {
      fmt::print(stderr, "\r{}: {}\x1b[K", phase, count);
    };
  const auto record = io::block_on(*reactors, load(engine));
  Result<vfs::FsckReport> report = vfs::FsckReport();
  if (!record) {
    report = fail(record.error());
  } else if (!in_bucket && record->durability == "object") {
    report = fail(Code::kInvalid, volume.root + " is a cache of " + record->tiers.back().url +
                                      "; mend its firn.toml, or remove the folder and give the URL");
  } else if (arguments.deep) {
    report = check_deep(volume, *settings, *record, *reactors, *pool, engine, *store, std::move(options));
  } else {
    report = io::block_on(*reactors, check(engine, *store, std::move(options)));
  }
  if (terminal) fmt::print(stderr, "\r\x1b[K");
  store.reset();
  const Result<void> closed = fetched ? fetched->close() : io::block_on(*reactors, close(engine));
  if (in_bucket) TRY(remove_all(paths.root));
  if (report && !closed) return fail(closed.error());
  return report;
}

void print_problem(const vfs::FsckProblem& problem) {
  const std::string where = problem.path.empty() ? "" : " " + problem.path;
  const std::string inode = problem.inode ? fmt::format("inode {}{}: ", problem.inode.value, where) : "";
  fmt::print("{}{}{}\n", inode, problem.what,
             problem.repaired     ? " (repaired)"
             : problem.by_scrub   ? " (firn scrub of the mounted volume sends it again)"
             : problem.repairable ? " (--repair would mend this)"
                                  : " (cannot be repaired)");
}

void print_report(const vfs::FsckReport& report) {
  nlohmann::json problems = nlohmann::json::array();
  for (const vfs::FsckProblem& p : report.problems)
    problems.push_back({{"inode", p.inode.value},
                        {"path", p.path},
                        {"what", p.what},
                        {"repairable", p.repairable},
                        {"repaired", p.repaired},
                        {"by_scrub", p.by_scrub}});
  const nlohmann::json body = {{"inodes", report.inodes},
                               {"directories", report.directories},
                               {"names", report.names},
                               {"backings", report.backings},
                               {"allocated_bytes", report.allocated_bytes},
                               {"open_at_crash", report.open_at_crash},
                               {"orphans", report.orphans},
                               {"scratch_files", report.scratch_files},
                               {"deep_objects", report.deep_objects},
                               {"deep_frames", report.deep_frames},
                               {"deep_bytes", report.deep_bytes},
                               {"pending", report.pending},
                               {"evicted", report.evicted},
                               {"blobs", report.blobs},
                               {"chunks", report.chunks},
                               {"problems", problems}};
  print_json(body);
}

Result<int> fsck(const Arguments& arguments) {
  const VolumePaths paths = TRY(require_volume(arguments.volume));
  auto lock = VolumeLock::take(paths, "");
  // A read-only disk has no lock to take, and nobody who writes.
  if (!lock && (arguments.repair || lock.error() != Code::kReadOnly)) return fail(lock.error());
  const auto report = run(paths, arguments);
  if (lock) lock->leave("");
  if (!report) return fail(report.error());
  if (arguments.json) {
    print_report(*report);
  } else {
    for (const vfs::FsckProblem& problem : report->problems) print_problem(problem);
    fmt::print("{}: {} inodes, {} folders, {} names, {} backing files, {}: {}\n", arguments.volume, report->inodes,
               report->directories, report->names, report->backings, human_size(report->allocated_bytes),
               report->clean() ? "clean"
                               : fmt::format("{} problems{}", report->problems.size(),
                                             report->all_repaired() ? ", all repaired" : ""));
  }
  return report->clean() || report->all_repaired() ? kExitOk : kExitFailure;
}

}  // namespace

void add_fsck(Command& firn) {
  Command command = firn.add("fsck", "Check a volume", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder").required();
  command.flag("--repair", arguments->repair, "Mend what can be mended");
  command.flag("--deep", arguments->deep, "Read and verify all that colder tiers hold, too");
  command.json(arguments->json, "The report as one JSON object");
  command.runs([arguments] { return fsck(*arguments); });
}

}  // namespace firn::cli
