#include "migrate/migration.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "migrate/count.h"

namespace firn::migrate {

namespace {

// Not one entry's: the next would fail in the same way.
bool ends_all(const Status& failure) {
  switch (failure.code()) {
    case Code::kNoSpace:
    case Code::kQuotaExceeded:
    case Code::kReadOnly:
    case Code::kInterrupted:
      return true;
    default:
      return false;
  }
}

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(Status::from_errno(errno, "writing the report"));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<io::UniqueFd> open_list(const std::string& path) {
  io::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd && errno == ELOOP)
    return fail(Code::kInvalid, path + ": is a symbolic link; a report is not written through one");
  if (!fd) return fail(Status::from_errno(errno, path));
  return fd;
}

}  // namespace

Migration::Migration(Parts parts, Options options, Progress& progress)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      progress_(progress),
      report_(!options_.report.empty()),
      target_(parts_, options_, progress_, notes()) {}

io::Task<Result<Summary>> Migration::run() {
  CO_TRY(co_await begin());
  for (size_t source = options_.sources.size(); source-- > 0;)
    queue_.push({.kind = Work::Kind::kOpen, .folder = nullptr, .names = {}, .source = source});
  for (unsigned i = 0; i < options_.at_once; ++i)
    io::detach(work(parts_.reactors[i % parts_.reactors.size()], workers_.enter()));
  io::detach(tick(helpers_.enter()));
  if (options_.count_first) io::detach(count(helpers_.enter()));
  co_await workers_.close();
  ended_.cancel();
  co_await helpers_.close();
  co_return co_await end();
}

io::Task<Result<void>> Migration::begin() {
  into_ = CO_TRY(co_await target_.find_folder(options_.into, options_.mode == Mode::kCopy));
  if (!options_.report.empty())
    list_ = CO_TRY(co_await parts_.pool.run([path = options_.report] { return open_list(path); }));
  std::optional<Timestamp> doubtful;
  if (options_.mode == Mode::kCopy) {
    const Timestamp now = parts_.clock.now();
    auto journal =
        co_await parts_.pool.run([this, now] { return Journal::open(options_.journal, options_.boot, now); });
    if (!journal) co_return fail(std::move(journal).error());
    journal_.emplace(*std::move(journal));
    if (journal_->before().rebooted) doubtful = journal_->before().safe;
  }
  std::map<FileKey, InodeId> files;
  if (journal_) {
    files = journal_->before().files;
    for (const auto& [content, inode] : journal_->before().contents) target_.sharing().remember(content, inode);
  }
  placement_.emplace(target_, options_, doubtful, std::move(files));
  co_return Result<void>();
}

Notes Migration::notes() {
  return {
      .file = [this](FileKey key,
                     InodeId inode) { return note([=](Journal& journal) { return journal.note_file(key, inode); }); },
      .content =
          [this](ContentHash content, InodeId inode) {
            return note([=](Journal& journal) { return journal.note_content(content, inode); });
          }};
}

io::Task<void> Migration::note(std::function<Status(Journal&)> write) {
  const auto lock = co_await journal_mutex_.lock();
  (void)co_await parts_.pool.run([&] { return write(*journal_); });
}

io::Task<Summary> Migration::end() {
  Summary summary{.tally = report_.tally(),
                  .stopped = stopped(),
                  .failure = failure_,
                  .excerpt = report_.excerpt(),
                  .not_shared = target_.sharing().reason()};
  Result<void> result = co_await make_safe(!summary.stopped);
  if (const Result<void> saved = co_await save_list(); !saved && result) result = saved;
  if (!result && summary.failure.ok()) summary.failure = result.error();
  co_return summary;
}

io::Task<Result<void>> Migration::make_safe(bool ended) {
  if (!journal_) co_return Result<void>();
  const Timestamp now = parts_.clock.now();
  CO_TRY(co_await parts_.volume.sync_all());
  const auto lock = co_await journal_mutex_.lock();
  const Status noted =
      co_await parts_.pool.run([this, now, ended] { return ended ? journal_->note_end() : journal_->note_safe(now); });
  if (!noted.ok()) co_return fail(noted);
  co_return Result<void>();
}

io::Task<Result<void>> Migration::save_list() {
  const std::string lines = report_.take_lines();
  if (lines.empty()) co_return Result<void>();
  co_return co_await parts_.pool.run([this, &lines] { return write_all(list_.get(), lines); });
}

io::Task<void> Migration::tick(io::Gate::Entry) {
  for (int round = 1; co_await io::sleep_for(kTickNs, &ended_); ++round) {
    Result<void> result = co_await save_list();
    if (result && round % kTicksPerSync == 0) result = co_await make_safe(false);
    if (!result) note_failure({.path = options_.report}, Status(Code::kInterrupted, result.error().to_string()));
  }
}

io::Task<void> Migration::count(io::Gate::Entry) {
  co_await parts_.pool.run([this] { count_sources(options_, progress_); });
}

io::Task<void> Migration::work(io::Reactor* reactor, io::Gate::Entry) {
  co_await io::switch_to(*reactor);
  while (std::optional<Work> next = co_await queue_.pop()) {
    co_await perform(std::move(*next));
    queue_.done();
  }
}

io::Task<void> Migration::perform(Work work) {
  // The folders that were made are counted.
  if (stopped()) co_return co_await finish_part(std::move(work.folder));
  switch (work.kind) {
    case Work::Kind::kOpen:
      co_await open_folder(work);
      break;
    case Work::Kind::kNames:
      co_await list_folder(std::move(work.folder));
      break;
    case Work::Kind::kFiles:
      co_await copy_files(std::move(work.folder), std::move(work.names));
      break;
  }
}

void Migration::note_failure(Found found, const Status& failure) {
  if (ends_all(failure)) {
    const std::lock_guard lock(failure_mutex_);
    if (failure_.ok() && !stopped()) failure_ = failure;
    progress_.stop.cancel();
    return;
  }
  const bool vanished = failure == Code::kNotFound;
  found.outcome = vanished ? Outcome::kSkipped : Outcome::kFailed;
  found.reason = vanished                       ? "it was removed meanwhile"
                 : failure == Code::kWouldBlock ? "it changed while it was read, twice; run again"
                                                : failure.to_string();
  report_.add(std::move(found));
}

std::string Migration::reason_to_leave(const Folder& folder) const {
  const SourceStat& stat = folder.source->stat();
  if (options_.never.contains(stat.key)) return "is the volume itself";
  if (options_.one_file_system && stat.key.device != folder.device) return "is on another file system";
  return {};
}

io::Task<void> Migration::open_folder(const Work& work) {
  const std::shared_ptr<Folder>& parent = work.folder;
  const auto folder = std::make_shared<Folder>();
  folder->parent = parent;
  if (parent) {
    folder->path = parent->path_of(work.names.front());
    folder->below = parent->below_of(work.names.front());
    folder->included = parent->included || options_.selection.includes(folder->below, true);
  } else {
    folder->path = options_.sources[work.source].path;
  }
  Found found{.path = folder->path, .is_folder = true};
  if (options_.never_paths.contains(folder->path)) {
    found.outcome = Outcome::kSkipped;
    found.reason = "is the volume itself";
    report_.add(std::move(found));
    co_return co_await finish_part(parent);
  }
  const int at = parent ? parent->source->fd() : AT_FDCWD;
  const std::string name = parent ? work.names.front() : folder->path;
  auto opened = co_await parts_.pool.run([at, &name] { return SourceFolder::open(at, name); });
  if (!opened) {
    // A source that is not there is no folder that went away.
    const Status failure = opened.error();
    note_failure(std::move(found), parent ? failure : Status(Code::kIo, failure.to_string()));
    co_return co_await finish_part(parent);
  }
  folder->source = *std::move(opened);
  folder->device = parent ? parent->device : folder->source->stat().key.device;
  if (std::string reason = reason_to_leave(*folder); !reason.empty()) {
    found.outcome = Outcome::kSkipped;
    found.reason = std::move(reason);
    report_.add(std::move(found));
    co_return co_await finish_part(parent);
  }
  co_await enter_folder(work, folder);
}

io::Task<void> Migration::enter_folder(const Work& work, std::shared_ptr<Folder> folder) {
  const std::shared_ptr<Folder>& parent = work.folder;
  Found found{.path = folder->path, .is_folder = true};
  const std::string name = parent ? work.names.front() : options_.sources[work.source].name;
  if (name.empty()) {
    folder->target = into_;
  } else {
    bool lost = false;
    auto xattrs = co_await parts_.pool.run([&] { return folder->source->xattrs(&lost); });
    if (lost) report_.add_lost_xattrs();
    Result<Placed> placed = fail(Code::kIo);
    if (xattrs) {
      const Place place{.folder = parent ? parent->target : into_, .is_new = parent && parent->is_new};
      placed = co_await placement_->place_folder(place, name, folder->source->stat(), *std::move(xattrs));
    } else {
      placed = fail(std::move(xattrs).error());
    }
    if (!placed) {
      note_failure(std::move(found), placed.error());
      co_return co_await finish_part(parent);
    }
    folder->target = placed->inode;
    folder->is_new = placed->outcome == Outcome::kCopied || placed->outcome == Outcome::kReplaced;
    folder->keeps_times = options_.mode == Mode::kCopy;
    if (parent) progress_.files += 1;  // the source's own folder is not in total_files either
    found.outcome = placed->outcome;
    found.reason = placed->reason;
    folder->found = std::move(found);
    const bool imagined = options_.mode == Mode::kDryRun && folder->is_new;
    if (!placed->inode && !imagined) co_return co_await finish_part(std::move(folder));
  }
  queue_.push({.kind = Work::Kind::kNames, .folder = std::move(folder), .names = {}});
}

io::Task<void> Migration::list_folder(std::shared_ptr<Folder> folder) {
  auto names = co_await parts_.pool.run([&folder] { return folder->source->next_names(); });
  if (!names) folder->failure = names.error();
  if (!names || names->empty()) co_return co_await finish_part(std::move(folder));
  // Beneath what it has found: that is done first.
  queue_.push({.kind = Work::Kind::kNames, .folder = folder, .names = {}});
  push_names(folder, *std::move(names));
}

void Migration::push_names(const std::shared_ptr<Folder>& folder, std::vector<Name> names) {
  std::vector<std::string> batch;
  const auto push = [&](Work::Kind kind, std::vector<std::string> of) {
    if (of.empty()) return;
    ++folder->unfinished;
    queue_.push({.kind = kind, .folder = folder, .names = std::move(of)});
  };
  const bool takes_all = options_.selection.takes_all();
  for (Name& one : names) {
    const Matched what{.is_folder = one.is_folder, .in_included_folder = folder->included};
    if (!takes_all && options_.selection.verdict(folder->below_of(one.name), what) == Verdict::kLeave) {
      report_.add({.path = folder->path_of(one.name),
                   .is_folder = one.is_folder,
                   .outcome = Outcome::kSkipped,
                   .reason = "left out by a pattern"});
    } else if (one.is_folder) {
      push(Work::Kind::kOpen, {std::move(one.name)});
    } else {
      batch.push_back(std::move(one.name));
      if (batch.size() == kBatch) push(Work::Kind::kFiles, std::exchange(batch, {}));
    }
  }
  push(Work::Kind::kFiles, std::move(batch));
}

io::Task<void> Migration::copy_files(std::shared_ptr<Folder> folder, std::vector<std::string> names) {
  // What is there already is not read to find that out.
  const bool fresh = folder->is_new && options_.mode == Mode::kCopy;
  const ReadOptions options{.content_bytes = fresh ? options_.inline_max_bytes : 0, .with_xattrs = true};
  auto entries = co_await parts_.pool.run([&, fd = folder->source->fd()] {
    std::vector<SourceEntry> read;
    read.reserve(names.size());
    for (const std::string& name : names) read.push_back(read_entry(fd, name, options));
    return read;
  });
  for (SourceEntry& entry : entries) {
    if (stopped()) break;
    co_await copy_file(*folder, std::move(entry));
  }
  co_await finish_part(std::move(folder));
}

io::Task<void> Migration::copy_file(Folder& folder, SourceEntry entry) {
  const Place place{.folder = folder.target, .is_new = folder.is_new};
  Result<Placed> placed = fail(Code::kIo);
  const std::string name = entry.name;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (entry.failure.ok() && entry.stat.type == meta::FileType::kDirectory)
      entry.failure = Status(Code::kIo, "it became a folder meanwhile; run again");
    placed = entry.failure.ok() ? co_await placement_->place(place, entry) : fail(entry.failure);
    if (placed || placed.error() != Code::kWouldBlock || !entry.failure.ok()) break;
    progress_.bytes -= entry.shown_bytes;
    entry = co_await parts_.pool.run(
        [&name, fd = folder.source->fd()] { return read_entry(fd, name, {.content_bytes = 0}); });
  }
  const bool regular = entry.stat.type == meta::FileType::kRegular;
  Found found{.path = folder.path_of(name), .bytes = regular ? entry.stat.size : 0};
  progress_.files += 1;
  progress_.bytes += std::max(found.bytes, entry.shown_bytes) - entry.shown_bytes;
  if (entry.lost_xattrs) report_.add_lost_xattrs();
  if (!placed) co_return note_failure(std::move(found), placed.error());
  found.outcome = placed->outcome;
  found.reason = std::move(placed->reason);
  found.is_equal = entry.is_equal;
  found.equal_bytes = entry.shown_bytes;
  found.shared_bytes = entry.shared_bytes;
  report_.add(std::move(found));
}

void Migration::count_folder(Folder& folder) {
  if (!folder.failure.ok())
    note_failure(folder.found.value_or(Found{.path = folder.path, .is_folder = true}), folder.failure);
  else if (folder.found)
    report_.add(*std::move(folder.found));
}

io::Task<void> Migration::finish_part(std::shared_ptr<Folder> folder) {
  while (folder && --folder->unfinished == 0) {
    if (folder->keeps_times && folder->target && !stopped()) {
      const Result<void> set = co_await target_.set_times(folder->target, folder->source->stat());
      if (!set && folder->failure.ok()) folder->failure = set.error();
    }
    count_folder(*folder);
    folder = folder->parent;
  }
}

}  // namespace firn::migrate
