// firn rm
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/listing.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Removes files and empty folders of a volume; with -r, folders and all that is in them; with -f, what is not "
    "there\n"
    "is no failure.";

struct Arguments {
  std::vector<std::string> paths;
  bool recursive = false;
  bool force = false;
  bool json = false;
};

// What is removed is counted in `count`.
Status remove_one(Client& client, const Target& target, uint64_t& count) {
  TRY(client.call("DELETE", file_route(target)));
  ++count;
  return {};
}

Status remove_tree(Client& client, const Target& target, uint64_t& count) {
  Status removed = remove_one(client, target, count);
  if (removed != Code::kNotEmpty) return removed;
  for (;;) {
    const auto reply = TRY(client.call("GET", route_to("ls", target)));
    const auto page = TRY(parse_answer(reply.body));
    const auto& entries = page.at("entries");
    for (const auto& entry : entries) TRY(remove_tree(client, below(target, bytes_of(entry, "name")), count));
    if (entries.empty()) break;
  }
  return target.inner == "/" ? Status() : remove_one(client, target, count);
}

Result<int> remove(const Arguments& arguments) {
  uint64_t count = 0;
  for (const std::string& path : arguments.paths) {
    const Target target = TRY(find_target(path));
    Client client = TRY(Client::connect(target.served));
    Status status = (arguments.recursive ? remove_tree : remove_one)(client, target, count);
    if (status == Code::kNotFound && arguments.force) continue;
    if (status == Code::kNotEmpty)
      status = Status(Code::kNotEmpty, fmt::format("{}: the folder is not empty; remove all of it with -r", path));
    TRY(on(path, std::move(status)));
  }
  if (arguments.json) print_json({{"removed", count}});
  return kExitOk;
}

}  // namespace

void add_rm(Command& firn) {
  Command command = firn.add("rm", "Remove files and folders of a volume", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->paths, "What to remove").required();
  command.flag("-r,--recursive", arguments->recursive, "Folders with all that is in them");
  command.flag("-f,--force", arguments->force, "What is not there is no failure");
  command.json(arguments->json, "How much was removed as one JSON value");
  command.may_be_remote();
  command.runs([arguments] { return remove(*arguments); });
}

}  // namespace firn::cli
