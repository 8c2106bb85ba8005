// firn stat
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
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
    fmt::print("  {:<10} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

Result<int> show(const Arguments& arguments) {
  for (const std::string& path : arguments.paths) {
    const Target target = TRY(find_target(path));
    Client client = TRY(Client::connect(target.paths));
    auto reply = client.call("GET", path_route("stat", target));
    if (!reply) return fail(on(path, reply.error()));
    if (arguments.json) {
      fmt::print("{}\n", reply->body);
    } else {
      print_attributes(path, nlohmann::json::parse(reply->body, nullptr, false));
    }
  }
  return kExitOk;
}

}  // namespace

void add_stat(CLI::App& app, Action* chosen) {
  CLI::App& command = add_command(
      app, "stat", "Show attributes of files of a volume",
      "Prints what the volume knows of each PATH; a symlink is not followed. Times are seconds since 1970.");
  auto arguments = std::make_shared<Arguments>();
  command.add_option("PATH", arguments->paths, "Files or folders")->required();
  command.add_flag("--json", arguments->json, "One JSON object per path");
  command.callback([chosen, arguments] { *chosen = [arguments] { return show(*arguments); }; });
}

}  // namespace firn::cli
