// firn ls
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/date_text.h"
#include "cli/json.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Lists folders of a volume through its daemon, so that it works without a mount. Names that are no UTF-8 are "
    "shown\n"
    "with replacement characters; --json carries their bytes as name_hex.";

struct Arguments {
  std::vector<std::string> paths;
  bool extended = false;
  bool exact = false;
  bool json = false;
};

std::string kind_letter(const std::string& type) {
  if (type == "directory") return "d";
  if (type == "symlink") return "l";
  if (type == "fifo") return "p";
  if (type == "socket") return "s";
  if (type == "char-device") return "c";
  return type == "block-device" ? "b" : "-";
}

// As ls(1) shows it: "rwxr-x--t".
std::string permissions_text(const std::string& octal) {
  const auto mode = static_cast<unsigned>(std::strtoul(octal.c_str(), nullptr, 8));
  std::string text = "rwxrwxrwx";
  for (size_t i = 0; i < text.size(); ++i)
    if ((mode >> (text.size() - 1 - i) & 1) == 0) text[i] = '-';
  const auto mark = [&](unsigned bit, size_t at, char with_execution, char without) {
    if ((mode & bit) != 0) text[at] = text[at] == 'x' ? with_execution : without;
  };
  mark(S_ISUID, 2, 's', 'S');
  mark(S_ISGID, 5, 's', 'S');
  mark(S_ISVTX, 8, 't', 'T');
  return text;
}

void print_entry(const nlohmann::json& entry, const Arguments& arguments) {
  if (arguments.json) {
    print_json(entry);
  } else if (arguments.extended) {
    const std::string time = entry.value("mtime", "0");
    const uint64_t bytes = entry.value("size", uint64_t{0});
    fmt::print("{}{} {:>3} {:>5} {:>5} {:>12} {} {}\n", kind_letter(entry.value("type", "")),
               permissions_text(entry.value("mode", "")), entry.value("nlink", uint64_t{0}),
               entry.value("uid", uint64_t{0}), entry.value("gid", uint64_t{0}),
               arguments.exact ? std::to_string(bytes) : human_size(bytes), date_text(time, "%Y-%m-%d %H:%M"),
               entry.value("name", ""));
  } else {
    fmt::print("{}\n", entry.value("name", ""));
  }
}

Status list_one(const std::string& path, const Arguments& arguments) {
  const Target target = TRY(find_target(path));
  Client client = TRY(Client::connect(target.served));
  std::string after;
  do {
    auto reply = client.call("GET", route_to("ls", target) + "?after=" + after);
    if (!reply && reply.error() == Code::kNotDirectory) {
      auto file = TRY(client.call("GET", route_to("meta", target)));
      auto entry = TRY(parse_answer(file.body));
      entry["name"] = path;
      print_entry(entry, arguments);
      return {};
    }
    if (!reply) return on(path, std::move(reply).error());
    const auto page = TRY(parse_answer(reply->body));
    for (const auto& entry : page.at("entries")) print_entry(entry, arguments);
    after = page.at("next").is_string() ? page.at("next").get<std::string>() : "";
  } while (!after.empty());
  return {};
}

Result<int> list(const Arguments& arguments) {
  for (const std::string& path : arguments.paths) {
    if (arguments.paths.size() > 1 && !arguments.json) fmt::print("{}:\n", path);
    TRY(list_one(path, arguments));
  }
  return kExitOk;
}

}  // namespace

void add_ls(Command& firn) {
  Command command = firn.add("ls", "List folders of a volume", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->paths, "Folders or files").required();
  command.flag("-l", arguments->extended, "Attributes too");
  command.flag("--bytes", arguments->exact, "With -l, sizes in bytes");
  command.json(arguments->json, "One JSON object per line");
  command.may_be_remote();
  command.runs([arguments] { return list(*arguments); });
}

}  // namespace firn::cli
