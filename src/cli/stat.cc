// firn stat
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/date_text.h"
#include "cli/json.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  bool json = false;
};

// "2026-11-22 12:47:15.850528377 +0100", of seconds since 1970 with nine decimals.
std::string time_text(const std::string& seconds) {
  const size_t point = std::min(seconds.find('.'), seconds.size());
  const size_t end = std::min(seconds.find_first_not_of("0123456789", point + 1), seconds.size());
  const std::string fraction = point < end ? seconds.substr(point, end - point) : "";
  return date_text(seconds, "%Y-%m-%d %H:%M:%S" + fraction + " %z");
}

std::string text_of(std::string_view key, const nlohmann::json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
  if (key.ends_with("time")) return time_text(text);
  const bool is_large = (key == "size" || key == "allocated") && value.is_number_unsigned() && value >= 1024;
  return is_large ? fmt::format("{} ({})", text, human_size(value.get<uint64_t>())) : text;
}

void print_attributes(const std::string& path, const nlohmann::json& attr) {
  fmt::print("{}\n", path);
  for (const char* key : {"type", "target", "inode", "mode", "nlink", "uid", "gid", "size", "allocated", "mtime",
                          "ctime", "atime", "btime"}) {
    if (!attr.contains(key)) continue;
    fmt::print("  {:<10} {}\n", key, text_of(key, attr.at(key)));
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
               "Prints what the volume knows of each PATH; a symlink is not followed. With --json, times are seconds "
               "since 1970.");
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->paths, "Files or folders").required();
  command.json(arguments->json, "One JSON object per path");
  command.may_be_remote();
  command.runs([arguments] { return show(*arguments); });
}

}  // namespace firn::cli
