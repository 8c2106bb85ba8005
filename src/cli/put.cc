// firn put
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <ranges>

#include "cli/command.h"
#include "cli/listing.h"
#include "cli/target.h"
#include "cli/transfer_options.h"
#include "cli/upload.h"
#include "cli/volume_changes.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Copies each SOURCE, a local file or - for standard input, to the last argument, TARGET, in a volume. It has its "
    "old\n"
    "content until the new one is there whole and on disk. Where TARGET is a folder, the files are put into it under\n"
    "their names. With -r, also folders, with permissions and times of modification; symlinks in them stay symlinks, "
    "and\n"
    "sockets, pipes and devices are left out. To go on after an interruption, add -u.\n\n"
    "  firn put report.pdf ./volume:/documents\n"
    "  tar c src | firn put - ./volume:/src.tar\n"
    "  firn put -r -u --jobs 8 --url https://nas.example:7734 photos /";

// A local path, and what it is to be in the volume.
struct Pair {
  std::string from;
  Target to;
  std::string name;  // of `to`, for messages
};

// One run of the command.
class Put {
 public:
  Put(const TransferArguments& arguments, const Served& served, Client& client)
      : arguments_(arguments),
        client_(client),
        transfers_({.served = served, .jobs = static_cast<size_t>(arguments.jobs), .what = "putting"}) {}

  Status source(const Pair& pair);
  Result<TransferCounts> finish();

 private:
  Status folder(const Pair& pair);
  Status entry(const Pair& pair);
  Status add(const Pair& pair, uint64_t bytes);

  const TransferArguments& arguments_;
  Client& client_;
  std::vector<Pair> folders_;  // the innermost get their times first, when nothing is written in them any more
  Transfers transfers_;
};

Status Put::add(const Pair& pair, uint64_t bytes) {
  const Upload upload{.from = pair.from,
                      .to = pair.to,
                      .name = pair.name,
                      .keeps = arguments_.recursive && pair.from != "-",
                      .update = arguments_.update && pair.from != "-"};
  return transfers_.add(bytes, [this, upload](Client& client) { return upload_file(client, transfers_, upload); });
}

Status Put::source(const Pair& pair) {
  struct stat info{};
  if (pair.from == "-") return add(pair, 0);
  if (stat(pair.from.c_str(), &info) != 0) return Status::from_errno(errno, pair.from);
  if (!S_ISDIR(info.st_mode)) return add(pair, S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0);
  if (!arguments_.recursive)
    return Status(Code::kIsDirectory, fmt::format("{}: is a folder; put it with -r", pair.from));
  if (const auto there = mounted_target(pair.from); there && lies_in(pair.to, *there))
    return Status(Code::kInvalid, fmt::format("{}: cannot be copied into itself, {}", pair.from, pair.name));
  return folder(pair);
}

Status Put::folder(const Pair& pair) {
  TRY(on(pair.name, make_private_folder(client_, pair.to)));
  folders_.push_back(pair);
  std::error_code error;
  std::filesystem::directory_iterator at(pair.from, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    TRY(entry({.from = joined(pair.from, name), .to = below(pair.to, name), .name = joined(pair.name, name)}));
  }
  return error ? Status::from_errno(error.value(), pair.from) : Status();
}

Status Put::entry(const Pair& pair) {
  struct stat info{};
  if (lstat(pair.from.c_str(), &info) != 0) return Status::from_errno(errno, pair.from);
  if (S_ISDIR(info.st_mode)) return folder(pair);
  if (S_ISREG(info.st_mode)) return add(pair, static_cast<uint64_t>(info.st_size));
  if (S_ISLNK(info.st_mode)) {
    const Upload upload{.from = pair.from, .to = pair.to, .name = pair.name};
    return transfers_.add(0, [upload](Client& client) { return upload_symlink(client, upload); });
  }
  transfers_.left_out(fmt::format("put: {}: is neither file, folder nor symlink, and left out", pair.from));
  return {};
}

Result<TransferCounts> Put::finish() {
  TRY(transfers_.finish());
  for (const Pair& folder : std::views::reverse(folders_))
    TRY(on(folder.name, copy_attributes(client_, folder.from, folder.to)));
  return transfers_.counts();
}

}  // namespace

Result<int> put_files(const TransferArguments& arguments) {
  const std::string& name = arguments.paths.back();
  const Target target = TRY(find_target(name));
  Client client = TRY(Client::connect(target.served));
  const Destination to = TRY(destination_of(client, target, arguments));
  Put run(arguments, target.served, client);
  for (size_t i = 0; i + 1 < arguments.paths.size(); ++i) {
    const std::string& from = arguments.paths[i];
    if (to.into && from == "-") return fail(Code::kIsDirectory, fmt::format("{}: is a folder; give a file name", name));
    const std::string last = TRY(name_in_target(arguments, from, to));
    TRY(run.source({.from = from, .to = below(target, last), .name = joined(name, last)}));
  }
  return end_transfer(arguments, TRY(run.finish()));
}

void add_put(Command& firn) {
  Command command = firn.add("put", "Copy files into a volume", kManual);
  auto arguments = std::make_shared<TransferArguments>();
  command.value("SOURCE", arguments->paths, "Local files or folders, or -; at last TARGET, in a volume").required();
  add_transfer_options(command, *arguments);
  command.runs([arguments]() -> Result<int> {
    if (arguments->paths.size() < 2) return misuse("put: give a SOURCE and a TARGET; see: firn help put");
    return put_files(*arguments);
  });
}

}  // namespace firn::cli
