// firn migrate: brings folders of other file systems into a volume.
#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/daemon_work.h"
#include "cli/descriptors.h"
#include "cli/json.h"
#include "cli/migrations.h"
#include "cli/mounts.h"
#include "cli/progress.h"
#include "cli/secret.h"
#include "cli/stop_signal.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kManual =
    "Copies FOLDER with all that is in it into VOLUME, as /NAME where NAME is its last name; FOLDER/ with a slash at "
    "the\n"
    "end: what is in it, not itself. Keeps modes, owners, times to the nanosecond, extended attributes, access "
    "control\n"
    "lists, hard links, symlinks, holes and special files. VOLUME may be mounted meanwhile; its daemon then does the "
    "work.\n\n"
    "Run it again after a crash, Ctrl-C or a full disk: what is there is not copied again. A file is there when size "
    "and\n"
    "time of change are the same; what else differs is brought up to date.\n\n"
    "When something else has a name already (--on-conflict): fail: leave it, and report the file as failed; skip: "
    "leave "
    "it;\n"
    "overwrite: replace it; newer: replace it when the source's is newer; rename: copy as NAME.migrated. Folders are "
    "merged.\n\n"
    "PATTERN is as in .gitignore: * ? [a-z] within a name, ** any number of names; tied to FOLDER by a / at the start "
    "or "
    "in\n"
    "the middle, folders only with a / at the end. --include makes exceptions from --exclude; alone, only files that "
    "it\n"
    "matches are taken.\n\n"
    "Equal contents share their blocks where the volume's disk can do that (xfs with reflinks, btrfs); the summary "
    "says "
    "so.\n\n"
    "Exit code 0: all was copied or left out as told; 1: something failed, or there is more to do.";

constexpr std::string_view kGoOn = "the same command goes on where this ended";

struct Arguments {
  std::string volume, into = "/", on_conflict = "fail", report;
  std::vector<std::string> from, include, exclude;
  bool dry_run = false, verify = false, one_file_system = false, no_dedup = false, json = false;
};

bool is_below(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder == "/" ? "/" : folder + "/");
}

Result<migrate::SourceRoot> source_of(const std::string& argument, const VolumePaths& paths) {
  char real[PATH_MAX];
  if (realpath(argument.c_str(), real) == nullptr) return fail(Status::from_errno(errno, argument));
  migrate::SourceRoot root{.path = real, .name = ""};
  if (!std::filesystem::is_directory(real)) return fail(Code::kNotDirectory, argument + ": is not a folder");
  if (is_below(root.path, paths.root)) return fail(Code::kInvalid, argument + ": is in the volume's own folder");
  if (const auto mount = mount_of(root.path); mount && mount->source == paths.root)
    return fail(Code::kInvalid, argument + ": is in the volume itself");
  if (argument.ends_with('/')) return root;
  const std::string last = std::filesystem::path(argument).filename().string();
  const bool relative = last == "." || last == "..";
  root.name = relative ? std::filesystem::path(root.path).filename().string() : last;
  return root;
}

Result<MigrationRequest> request_of(const Arguments& arguments, const VolumePaths& paths) {
  MigrationRequest request{.into = arguments.into, .include = arguments.include, .exclude = arguments.exclude};
  request.one_file_system = arguments.one_file_system;
  request.find_equal = !arguments.no_dedup;
  request.count_first = isatty(STDERR_FILENO) != 0;
  if (arguments.dry_run) request.mode = migrate::Mode::kDryRun;
  if (arguments.verify) request.mode = migrate::Mode::kVerify;
  request.on_conflict = parse_on_conflict(arguments.on_conflict).value();  // one of the rules
  if (!arguments.into.starts_with('/')) return fail(Code::kInvalid, "--into: a path in the volume begins with /");
  std::set<std::string> names;
  for (const std::string& from : arguments.from) {
    request.sources.push_back(TRY(source_of(from, paths)));
    const std::string& name = request.sources.back().name;
    if (!name.empty() && !names.insert(name).second)
      return fail(Code::kInvalid,
                  fmt::format("two folders would become {}; migrate them one by one, with --into", name));
  }
  if (!arguments.report.empty()) request.report = absolute_but_last(arguments.report);
  return request;
}

// Shows how far it is, on a thread of its own.
class Display {
 public:
  Display(const migrate::Progress& progress, const std::string& what)
      : progress_(progress), bar_(what), thread_([this] { show(); }) {}
  ~Display() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  void show() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::milliseconds(200), [this] { return ended_; }))
      bar_.show({.files = progress_.files,
                 .total_files = progress_.total_files,
                 .bytes = progress_.bytes,
                 .total_bytes = progress_.total_bytes});
    bar_.clear();
  }

  const migrate::Progress& progress_;
  ProgressBar bar_;
  std::mutex mutex_;  // guards ended_
  std::condition_variable wake_;
  bool ended_ = false;
  std::thread thread_;
};

std::string verb_of(const Arguments& arguments) {
  return arguments.verify ? "verifying" : arguments.dry_run ? "looking" : "migrating";
}

io::Task<void> run_and_tell(Migrations* migrations, MigrationRequest request, migrate::Progress* progress,
                            std::promise<Result<std::string>>* result, const StopSignal* stop) {
  Result<std::string> done = co_await migrations->run(std::move(request), *progress);
  result->set_value(std::move(done));
  stop->request();
}

Result<std::string> migrate_in(RunningVolume& running, const VolumePaths& paths, const Settings& settings,
                               const MigrationRequest& request, const StopSignal& stop, const std::string& what) {
  Migrations migrations(running, paths, settings);
  migrate::Progress progress;
  std::promise<Result<std::string>> promise;
  auto result = promise.get_future();
  const Display display(progress, what);
  running.reactors().run_on(0, run_and_tell(&migrations, request, &progress, &promise, &stop));
  (void)stop.wait();
  progress.stop.cancel();
  return result.get();
}

// Nobody serves the volume: it is opened here.
Result<json> migrate_here(const VolumePaths& paths, const MigrationRequest& request, const Arguments& arguments) {
  Settings settings = TRY(load_settings(paths.config()));
  const std::optional<std::string> secret = TRY(secret_of(paths));
  VolumeLock lock = TRY(VolumeLock::take(paths, ""));
  const StopSignal stop = TRY(StopSignal::create());
  (void)fit_descriptors(settings);
  const auto running = TRY(RunningVolume::open(paths, settings, {.secret = secret}));
  Result<std::string> done = migrate_in(*running, paths, settings, request, stop, verb_of(arguments));
  const Result<void> closed = running->close();
  lock.leave("");
  if (!done) return fail(std::move(done).error());
  if (!closed) return fail(closed.error());
  return parse_answer(*done);
}

// The daemon stops when it sees that we have gone.
void explain_and_end(int) {
  constexpr std::string_view kText = "\nfirn: migrate: stopped; the same command goes on where this ended\n";
  (void)!write(STDERR_FILENO, kText.data(), kText.size());
  _exit(kExitFailure);
}

Result<json> migrate_there(const VolumePaths& paths, const MigrationRequest& request, const Arguments& arguments) {
  struct sigaction action{};
  action.sa_handler = explain_and_end;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  return daemon_work({.paths = paths}, route_of(request), verb_of(arguments));
}

std::string equal_line(const json& done) {
  const auto number = [&done](const char* name) { return done.value(name, uint64_t{0}); };
  const uint64_t shared = number("shared_bytes");
  std::string line = fmt::format("equal files: {}, {}", number("equal_files"), human_size(number("equal_bytes")));
  if (shared > 0) line += fmt::format("; shared: {}", human_size(shared));
  const std::string reason = done.value("not_shared", "");
  if (!reason.empty()) line += fmt::format("; {}not shared: {}", shared > 0 ? "the rest " : "", reason);
  return line;
}

void print_summary(const json& done, const Arguments& arguments) {
  const auto number = [&done](const char* name) { return done.value(name, uint64_t{0}); };
  fmt::print(stderr, "{}", done.value("excerpt", ""));
  fmt::print("found {} entries, {} of them folders; files of {}\n", number("found"), number("folders"),
             human_size(number("bytes")));
  const char* would = arguments.dry_run ? "would be " : "";
  const std::string_view always = arguments.verify ? "unchanged" : "copied";
  std::string line;
  for (const char* name : {"copied", "linked", "unchanged", "updated", "replaced", "renamed", "skipped", "failed"})
    if (number(name) > 0 || name == always)
      line += fmt::format("{}{} {}", line.empty() ? "" : ", ", number(name),
                          arguments.verify && name == always ? "verified" : name);
  fmt::print("{}{}\n", would, line);
  if (number("equal_files") > 0) fmt::print("{}\n", equal_line(done));
  if (number("lost_xattrs") > 0)
    fmt::print("{} had extended attributes of a kind that a volume does not keep\n", number("lost_xattrs"));
}

Result<int> migrate(const Arguments& arguments) {
  if (arguments.dry_run && arguments.verify) return misuse("migrate: --dry-run and --verify exclude each other");
  const VolumePaths paths = TRY(local_volume(arguments.volume));
  const Result<MigrationRequest> request = request_of(arguments, paths);
  if (!request) return misuse("migrate: " + request.error().to_string());
  const bool served = find_holder(paths).has_value();
  json done = TRY(served ? migrate_there(paths, *request, arguments) : migrate_here(paths, *request, arguments));
  const std::string failure = done.value("failure", "");
  const bool stopped = done.value("stopped", false);
  if (arguments.json) {
    for (const char* name : {"excerpt", "done"}) done.erase(name);
    print_json(done);
  } else {
    print_summary(done, arguments);
  }
  if (done.value("full", false)) {
    print_error(fmt::format("migrate: the volume is full ({}); make room, then {}", failure, kGoOn));
  } else if (!failure.empty()) {
    print_error(fmt::format("migrate: {}; {}", failure, kGoOn));
  } else if (stopped) {
    print_error(fmt::format("migrate: stopped; {}", kGoOn));
  }
  const bool all = failure.empty() && !stopped && done.value("failed", uint64_t{0}) == 0;
  return all ? kExitOk : kExitFailure;
}

}  // namespace

void add_migrate(Command& firn) {
  Command command = firn.add("migrate", "Bring folders of other file systems into a volume", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted").required();
  command.value("--from", arguments->from, "A folder to copy; may be given more than once")
      .called("FOLDER")
      .required()
      .one_at_a_time();
  command.value("--into", arguments->into, "Where to, in the volume; made where it is missing (default: /)");
  command.value("--on-conflict", arguments->on_conflict, "What to do where a name is taken (fail)")
      .one_of(on_conflict_rules());
  command.value("--include", arguments->include, "A PATTERN of what to take").one_at_a_time();
  command.value("--exclude", arguments->exclude, "A PATTERN of what to leave out").one_at_a_time();
  command.flag("--one-file-system", arguments->one_file_system, "Do not go into other file systems below FOLDER");
  command.flag("--no-dedup", arguments->no_dedup, "Do not look for equal contents, nor let them share blocks");
  command.flag("--dry-run", arguments->dry_run, "Only tell what would be done");
  command.flag("--verify", arguments->verify, "Copy nothing; compare contents and attributes of both sides");
  command.value("--report", arguments->report, "A file for a line of JSON about every entry found").called("FILE");
  command.json(arguments->json, "The summary as one JSON object");
  command.runs([arguments] { return migrate(*arguments); });
}

}  // namespace firn::cli
