// firn mkdir
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  std::string mode = "755";
  bool parents = false;
  bool json = false;
};

Result<int> make(const Arguments& arguments) {
  for (const std::string& path : arguments.paths) {
    const Target target = TRY(find_target(path));
    Client client = TRY(Client::connect(target.served));
    const std::string route =
        path_route("mkdir", target) + "&mode=" + arguments.mode + (arguments.parents ? "&parents=1" : "");
    if (auto reply = client.call("POST", route); !reply) return fail(on(path, reply.error()));
  }
  if (arguments.json) print_json({{"folders", arguments.paths}});
  return kExitOk;
}

}  // namespace

void add_mkdir(Command& firn) {
  Command command =
      firn.add("mkdir", "Make folders in a volume", "Makes each PATH; with -p, what is missing above it too.");
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->paths, "Folders to make").required();
  command.flag("-p,--parents", arguments->parents, "Missing parents too; what exists is no failure");
  command.value("-m,--mode", arguments->mode, "Permissions in octal (755)");
  command.json(arguments->json, "What was made as one JSON value");
  command.may_be_remote();
  command.runs([arguments] { return make(*arguments); });
}

}  // namespace firn::cli
