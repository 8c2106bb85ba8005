// firn rm
#include <fmt/format.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/target.h"
#include "cli/tree_removal.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Removes files and empty folders of a volume; with -r, folders and all that is in them, several at once; with -f, "
    "what\n"
    "is not there is no failure. What others put into a folder while it is removed may stay, and is told as a failure.";

constexpr int64_t kMaxJobs = 64;

struct Arguments {
  std::vector<std::string> paths;
  bool recursive = false;
  bool force = false;
  int64_t jobs = 4;
  bool json = false;
};

// What is removed is counted in `count`.
Status remove_one(Client& client, const Target& target, std::atomic<uint64_t>& count) {
  TRY(client.call("DELETE", file_route(target)));
  ++count;
  return {};
}

Status remove_tree(Client& client, const Target& target, size_t jobs, std::atomic<uint64_t>& count) {
  constexpr int kAttempts = 10;  // others may put something there meanwhile
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Status removed = remove_one(client, target, count);
    if (removed != Code::kNotEmpty) return removed;
    TRY(TreeRemoval(target, jobs, count).run(client));
    if (target.inner == "/") return {};
  }
  return Status(Code::kBusy, "others keep putting something there");
}

Result<int> remove(const Arguments& arguments) {
  std::atomic<uint64_t> count = 0;
  for (const std::string& path : arguments.paths) {
    const Target target = TRY(find_target(path));
    Client client = TRY(Client::connect(target.served));
    Status status = arguments.recursive ? remove_tree(client, target, static_cast<size_t>(arguments.jobs), count)
                                        : remove_one(client, target, count);
    if (status == Code::kNotFound && arguments.force) continue;
    if (status == Code::kNotEmpty)
      status = Status(Code::kNotEmpty, fmt::format("{}: the folder is not empty; remove all of it with -r", path));
    TRY(on(path, std::move(status)));
  }
  if (arguments.json) print_json({{"removed", count.load()}});
  return kExitOk;
}

}  // namespace

void add_rm(Command& firn) {
  Command command = firn.add("rm", "Remove files and folders of a volume", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->paths, "What to remove").required();
  command.flag("-r,--recursive", arguments->recursive, "Folders with all that is in them");
  command.value("-j,--jobs", arguments->jobs, "How many at once, with -r (4)").called("NUMBER").between(1, kMaxJobs);
  command.flag("-f,--force", arguments->force, "What is not there is no failure");
  command.json(arguments->json, "How much was removed as one JSON value");
  command.may_be_remote();
  command.runs([arguments] { return remove(*arguments); });
}

}  // namespace firn::cli
