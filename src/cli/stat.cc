// firn stat
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  bool json = false;
};

void print_attributes(const std::string& path, const nlohmann::json& attr) {
  fmt::print("{}\n", path);
  for (const char* key : {"type", "target", "inode", "mode", "nlink", "uid", "gid", "size", "allocated", "mtime",
                          "ctime", "atime", "btime"}) {
    if (!attr.contains(key)) continue;
    const auto& value = attr.at(key);
    fmt::print("  {:<10} {}\n", key, value.is_string() ? value.get<std::string>() : dump_json(value));
  }
}

Result<int> show(const Arguments& arguments) {
  for (const std::string& path : arguments.paths) {
    const Target target = TRY(find_target(path));
    Client client = TRY(Client::connect(target.served));
    auto reply = client.call("GET", route_to("meta", target));
    if (!reply) return fail(on(path, reply.error()));
    if (arguments.json) {
      fmt::print("{}\n", reply->body);
    } else {
      print_attributes(path, TRY(parse_answer(reply->body)));
    }
  }
  return kExitOk;
}

}  // namespace

void add_stat(Command& firn) {
  Command command =
      firn.add("stat", "Show attributes of files of a volume",
               "Prints what the volume knows of each PATH; a symlink is not followed. Times are seconds since 1970.");
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->paths, "Files or folders").required();
  command.json(arguments->json, "One JSON object per path");
  command.may_be_remote();
  command.runs([arguments] { return show(*arguments); });
}

}  // namespace firn::cli
