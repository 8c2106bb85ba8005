// firn find
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/listing.h"
#include "cli/target.h"
#include "http/json.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Prints each PATH and all that is below it, where it meets every condition: folders before what is in them, by "
    "name.\n"
    "Names are printed as the bytes that they are, but with --json, which has path_hex where they are no UTF-8. A\n"
    "volume's folder or mount point stands for all of it.\n\n"
    "  firn find ./volume:/photos --name '*.jpg' --size +10M\n"
    "  firn find ./volume --type f --newer 7d -0 | xargs -0 -n 1 echo\n"
    "  firn find --json --url https://nas.example:7734 /";

struct Arguments {
  std::vector<std::string> paths;
  std::string name, type, size, newer;
  bool json = false;
  bool null = false;
};

struct Conditions {
  std::string name;  // a pattern; empty: any
  std::optional<FileKind> kind;
  std::optional<uint64_t> more_than_bytes, less_than_bytes;
  std::optional<Timestamp> newer_than;

  bool hold(const std::string& file_name, const Entry& entry) const {
    if (!name.empty() && fnmatch(name.c_str(), file_name.c_str(), 0) != 0) return false;
    if (kind && entry.kind != *kind) return false;
    if ((more_than_bytes || less_than_bytes) && entry.kind != FileKind::kFile) return false;
    if (more_than_bytes && entry.size <= *more_than_bytes) return false;
    if (less_than_bytes && entry.size >= *less_than_bytes) return false;
    return !newer_than || entry.mtime > *newer_than;
  }
};

// "+1M" and "-1MiB": K, M, G, T and P are powers of 1024.
Status take_size(const std::string& text, Conditions& to) {
  std::string size = text.empty() ? "" : text.substr(1);
  if (!size.empty() && std::string_view("KMGTP").contains(size.back())) size += "iB";
  const Result<uint64_t> bytes = parse_size(size);
  if (!bytes || (text[0] != '+' && text[0] != '-'))
    return Status(Code::kInvalid, fmt::format("--size {}: give +SIZE or -SIZE, such as +1M", text));
  (text[0] == '+' ? to.more_than_bytes : to.less_than_bytes) = *bytes;
  return {};
}

// Also days, which parse_duration() does not know.
Status take_age(const std::string& text, Conditions& to) {
  constexpr int64_t kSecondNs = 1'000'000'000, kDayHours = 24;
  std::string duration = text;
  const int64_t times = duration.ends_with('d') ? kDayHours : 1;
  if (times == kDayHours) duration.back() = 'h';
  const Result<int64_t> ns = parse_duration(duration);
  if (!ns || *ns > INT64_MAX / kDayHours)
    return Status(Code::kInvalid, fmt::format("--newer {}: give a duration such as 90min, 12h or 7d", text));
  const Timestamp now = system_clock().now();
  const int64_t age_ns = *ns * times, nanoseconds = now.nanoseconds - age_ns % kSecondNs;
  const bool borrows = nanoseconds < 0;
  to.newer_than = Timestamp{now.seconds - age_ns / kSecondNs - (borrows ? 1 : 0),
                            static_cast<uint32_t>(nanoseconds + (borrows ? kSecondNs : 0))};
  return {};
}

Result<Conditions> conditions_of(const Arguments& arguments) {
  Conditions conditions{.name = arguments.name};
  if (!arguments.type.empty())
    conditions.kind = arguments.type == "f"   ? FileKind::kFile
                      : arguments.type == "d" ? FileKind::kFolder
                                              : FileKind::kSymlink;
  if (!arguments.size.empty()) TRY(take_size(arguments.size, conditions));
  if (!arguments.newer.empty()) TRY(take_age(arguments.newer, conditions));
  return conditions;
}

void print_found(const Arguments& arguments, const std::string& path, nlohmann::json object) {
  if (!arguments.json) {
    std::fwrite(path.data(), 1, path.size(), stdout);
    std::fputc(arguments.null ? '\0' : '\n', stdout);
    return;
  }
  // Those of a listing.
  for (const char* member : {"name", "name_hex", "etag", "xattrs", "target", "target_hex"}) object.erase(member);
  http::put_text(object, "path", path);
  print_json(object);
}

// False: some folder may not be read.
Result<bool> find_one(const std::string& path, const Arguments& arguments, const Conditions& conditions) {
  const Target target = TRY(find_tree(path));
  Client client = TRY(Client::connect(target.served));
  const auto reply = client.call("GET", route_to("meta", target) + "?follow=1");
  if (!reply) return fail(on(path, reply.error()));
  const nlohmann::json object = TRY(parse_answer(reply->body));
  const Entry root = TRY(attributes_in(object));
  if (conditions.hold(last_name(path), root)) print_found(arguments, path, object);
  if (root.kind != FileKind::kFolder) return true;
  bool complete = true;
  const EntrySink sink = [&](const Entry& entry, const nlohmann::json& listed) -> Status {
    const std::string name = joined(path, entry.path);
    if (conditions.hold(last_name(entry.path), entry)) print_found(arguments, name, listed);
    if (!entry.unreadable) return {};
    complete = false;
    print_error(fmt::format("find: {}: may not be read", name));
    return {};
  };
  TRY(on(path, list_tree(client, target, sink)));
  return complete;
}

Result<int> find_all(const Arguments& arguments) {
  const Result<Conditions> conditions = conditions_of(arguments);
  if (!conditions) return misuse("find: " + conditions.error().message());
  bool complete = true;
  for (const std::string& path : arguments.paths)
    if (!TRY(find_one(path, arguments, *conditions))) complete = false;
  return complete ? kExitOk : kExitFailure;
}

}  // namespace

void add_find(Command& firn) {
  Command command = firn.add("find", "Find files in a volume", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->paths, "Folders or files").required();
  command.value("--name", arguments->name, "The last name matches a shell PATTERN: * ? [a-z]").called("PATTERN");
  command.value("--type", arguments->type, "A file, a folder (d), or a symlink").one_of({"f", "d", "l"});
  command.value("--size", arguments->size, "A file of more than +SIZE, or less than -SIZE, such as +1M").called("SIZE");
  command.value("--newer", arguments->newer, "Modified within a DURATION until now, such as 12h or 7d")
      .called("DURATION");
  const Option json = command.json(arguments->json, "One JSON object per line");
  command.flag("-0,--null", arguments->null, "A NUL behind each path, not a line feed").excludes(json);
  command.may_be_remote();
  command.runs([arguments] { return find_all(*arguments); });
}

}  // namespace firn::cli
