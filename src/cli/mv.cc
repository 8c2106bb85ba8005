// firn mv
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

struct Arguments {
  std::string from, to;
  bool no_replace = false;
  bool json = false;
};

Result<int> move(const Arguments& arguments) {
  const auto& [from, to, no_replace, json] = arguments;
  const Target source = TRY(find_target(from));
  const Target target = TRY(find_target(to));
  if (!source.served.same_as(target.served))
    return fail(Code::kCrossDevice,
                fmt::format("{}: lies in another volume than {}; copy it with: firn put", to, from));
  Client client = TRY(Client::connect(source.served));
  const std::string route = fmt::format("/v1/move?from={}&to={}{}", http::encode_parameter(source.inner),
                                        http::encode_parameter(target.inner), no_replace ? "&no_replace=1" : "");
  if (auto reply = client.call("POST", route); !reply)
    return fail(on(fmt::format("{} to {}", from, to), reply.error()));
  if (json) print_json({{"from", from}, {"to", to}});
  return kExitOk;
}

}  // namespace

void add_mv(Command& firn) {
  Command command = firn.add("mv", "Rename a file or folder of a volume",
                             "Gives FROM the name TO, which is replaced if it exists, as rename(2) does.");
  auto arguments = std::make_shared<Arguments>();
  command.value("FROM", arguments->from, "What to rename").required();
  command.value("TO", arguments->to, "Its new name").required();
  command.flag("-n,--no-replace", arguments->no_replace, "Fail where TO exists");
  command.json(arguments->json, "The names as one JSON value");
  command.may_be_remote();
  command.runs([arguments] { return move(*arguments); });
}

}  // namespace firn::cli
