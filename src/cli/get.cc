// firn get
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <ranges>

#include "cli/download.h"
#include "cli/listing.h"
#include "cli/target.h"
#include "cli/transfer_options.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Copies files out of a volume to the local disk: each SOURCE to the last argument, TARGET, which is its new name, "
    "or\n"
    "a folder to put it into. Permissions and times of modification are kept; a file has its name once all of it is\n"
    "there. Until then it is .NAME.firn-part beside it: after an interruption, the same command goes on with that, "
    "unless\n"
    "the file has changed. Symlinks in a folder stay symlinks; sockets, pipes and devices are left out.\n\n"
    "  firn get ./volume:/photos/a.jpg .\n"
    "  firn get -r ./volume:/photos /backup      makes /backup/photos, or goes on with it\n"
    "  firn get -r -u --jobs 8 --url https://nas.example:7734 /photos /backup";

bool is_folder(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// One run of the command.
class Get {
 public:
  Get(const TransferArguments& arguments, const Served& served, Client client)
      : arguments_(arguments),
        client_(std::move(client)),
        transfers_({.served = served, .jobs = static_cast<size_t>(arguments.jobs), .what = "getting"}) {}

  // `to`: the local path that it gets.
  Status source(const std::string& name, const Target& target, const std::string& to);
  Result<TransferCounts> finish();

 private:
  Status folder(const std::string& name, const Target& target, const Entry& entry, const std::string& to);
  Status entry(const Download& download);
  Status make_folder(const Download& download);
  Status finish_folder(const Download& folder);

  const TransferArguments& arguments_;
  Client client_;
  // Symlinks are made when the rest is done, so that nothing is written through one. Then folders, the innermost first,
  // get the permissions and times that writing in them needs or changes.
  std::vector<Download> symlinks_, folders_;
  Transfers transfers_;
};

Status Get::source(const std::string& name, const Target& target, const std::string& to) {
  Result<Entry> found = attributes_of(client_, target, {.follow = true});
  if (!found) return on(name, std::move(found).error());
  if (found->kind == FileKind::kFolder) return folder(name, target, *found, to);
  if (found->kind == FileKind::kOther) return Status(Code::kInvalid, fmt::format("{}: is a {}", name, found->type));
  return entry({.name = name, .source = target, .entry = *found, .to = to});
}

Status Get::folder(const std::string& name, const Target& target, const Entry& found, const std::string& to) {
  if (!arguments_.recursive) return Status(Code::kIsDirectory, fmt::format("{}: is a folder; get it with -r", name));
  if (const auto there = mounted_target(to); there && lies_in(*there, target))
    return Status(Code::kInvalid, fmt::format("{}: cannot be copied into itself, {}", name, to));
  TRY(make_folder({.name = name, .source = target, .entry = found, .to = to}));
  return on(name, list_tree(client_, target, [&](const Entry& inner, const nlohmann::json&) {
              return entry({.name = joined(name, inner.path),
                            .source = below(target, inner.path),
                            .entry = inner,
                            .to = joined(to, inner.path)});
            }));
}

Status Get::entry(const Download& download) {
  switch (download.entry.kind) {
    case FileKind::kFolder:
      if (download.entry.unreadable) transfers_.left_out(fmt::format("get: {}: may not be read", download.name));
      return make_folder(download);
    case FileKind::kSymlink:
      symlinks_.push_back(download);
      return {};
    case FileKind::kOther:
      transfers_.left_out(fmt::format("get: {}: is a {} and left out", download.name, download.entry.type));
      return {};
    case FileKind::kFile:
      break;
  }
  return transfers_.add(download.entry.size, [this, download](Client& client) -> Status {
    if (!arguments_.update || !is_up_to_date(download)) return download_file(client, transfers_, download);
    transfers_.unchanged(download.entry.size);
    return {};
  });
}

Status Get::make_folder(const Download& download) {
  constexpr mode_t kOwner = 0700;
  struct stat info{};
  if (mkdir(download.to.c_str(), kOwner) != 0) {
    if (errno != EEXIST) return Status::from_errno(errno, download.to);
    if (lstat(download.to.c_str(), &info) != 0) return Status::from_errno(errno, download.to);
    if (!S_ISDIR(info.st_mode))
      return Status(Code::kNotDirectory, fmt::format("{}: is there, and no folder", download.to));
    // One that an earlier run made for reading only. If it is somebody else's, writing in it tells.
    (void)chmod(download.to.c_str(), local_mode(info.st_mode) | kOwner);
  }
  folders_.push_back(download);
  return {};
}

Status Get::finish_folder(const Download& folder) {
  const Timestamp& mtime = folder.entry.mtime;
  const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                            {.tv_sec = mtime.seconds, .tv_nsec = mtime.nanoseconds}};
  if (chmod(folder.to.c_str(), local_mode(folder.entry.mode)) != 0 ||
      utimensat(AT_FDCWD, folder.to.c_str(), times, 0) != 0)
    return Status::from_errno(errno, folder.to);
  return {};
}

Result<TransferCounts> Get::finish() {
  TRY(transfers_.finish());
  TransferCounts counts = transfers_.counts();
  for (const Download& symlink : symlinks_) TRY(download_symlink(client_, symlink));
  counts.files += symlinks_.size();
  for (const Download& folder : std::views::reverse(folders_)) TRY(finish_folder(folder));
  return counts;
}

}  // namespace

Result<int> get_files(const TransferArguments& arguments) {
  const std::string& to = arguments.paths.back();
  const bool into = is_folder(to);
  if ((!into || arguments.exact) && (arguments.paths.size() > 2 || (!into && to.ends_with('/'))))
    return fail(Code::kNotDirectory, fmt::format("{}: is no folder to put files into", to));
  const Served served = TRY(find_target(arguments.paths.front())).served;
  Get run(arguments, served, TRY(Client::connect(served)));
  for (size_t i = 0; i + 1 < arguments.paths.size(); ++i) {
    const std::string& name = arguments.paths[i];
    const Target target = TRY(find_target(name));
    if (!target.served.same_as(served))
      return fail(Code::kCrossDevice, fmt::format("{}: lies in another volume than {}", name, arguments.paths.front()));
    const std::string last = TRY(name_in_target(arguments, target.inner, {.into = into}));
    TRY(run.source(name, target, joined(to, last)));
  }
  return end_transfer(arguments, TRY(run.finish()));
}

void add_get(Command& firn) {
  Command command = firn.add("get", "Copy files out of a volume", kManual);
  auto arguments = std::make_shared<TransferArguments>();
  command.value("SOURCE", arguments->paths, "Files or folders of a volume; at last TARGET, a local path").required();
  add_transfer_options(command, *arguments);
  command.runs([arguments]() -> Result<int> {
    if (arguments->paths.size() < 2) return misuse("get: give a SOURCE and a TARGET; see: firn help get");
    return get_files(*arguments);
  });
}

}  // namespace firn::cli
