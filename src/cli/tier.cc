// firn tier: moves files between the local disk and colder tiers, and tells where they are.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/daemon_work.h"
#include "cli/errors.h"
#include "cli/json.h"
#include "cli/mounts.h"
#include "cli/target.h"
#include "cli/tier_set.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kManual =
    "A volume's files settle into its colder tiers by themselves; these commands do it now.\n\n"
    "  firn tier ls PATH      where files are: hot (all, some, none of it on the local disk), and in colder tiers or "
    "not\n"
    "  firn tier flush PATH   uploads what is pending of files, and the metadata, and returns when colder tiers have "
    "it\n"
    "  firn tier evict PATH   frees the local disk's copies of files that colder tiers have; reading brings them back\n"
    "  firn tier warm PATH    brings files back to the local disk\n"
    "  firn tier set PATH     says which files stay on the local disk, and which tiers they are kept out of; see\n"
    "                         firn tier set --help\n\n"
    "PATH is a path inside a mounted volume, or VOLUME:/PATH; --all means every file of its volume. Without a PATH\n"
    "that is the volume that is mounted, when there is one.";

struct Arguments {
  std::string path;
  bool all = false;
  bool json = false;
};

// "--all": the volume of the path, or the one that is mounted here.
Result<Target> target_of(const Arguments& arguments) {
  if (!arguments.path.empty()) {
    Target target = TRY(find_tree(arguments.path));
    if (arguments.all) target.inner = "/";
    return target;
  }
  if (const auto remote = TRY(chosen_remote())) return Target{{.remote = remote}, "/"};
  const std::vector<Mount> mounts = TRY(list_mounts());
  if (mounts.size() == 1) return Target{{.paths = {mounts[0].source}}, "/"};
  return fail(Code::kInvalid, mounts.empty() ? "no volume is mounted; name one: firn tier evict VOLUME"
                                             : "several volumes are mounted; name one: firn tier evict VOLUME");
}

Result<json> work(const Arguments& arguments, const std::string& name, const std::string& what) {
  const Target target = TRY(target_of(arguments));
  const std::string route = fmt::format("/v1/admin/{}?path={}", name, http::encode_parameter(target.inner));
  Result<json> done = daemon_work(target.served, route, what);
  if (!done) return fail(on(arguments.path.empty() ? target.served.text() : arguments.path, done.error()));
  return done;
}

std::string size_of(const json& body, const char* name) { return human_size(body.value(name, uint64_t{0})); }

// Nothing of what is not there.
std::string count_of(const json& body, const char* name, const char* format) {
  const auto count = body.value(name, uint64_t{0});
  return count > 0 ? fmt::format(fmt::runtime(format), count) : "";
}

// Files that stay for one reason, and one of them; nothing of none.
std::string staying(const json& done, const char* name, const char* why) {
  const json of = done.value(name, json::object());
  const auto files = of.value("files", uint64_t{0});
  return files > 0 ? fmt::format("; {} stay: {}, such as {}", files, why, of.value("name", "")) : "";
}

std::string flushed(const json& done) {
  std::string postponed = count_of(done, "postponed", "; {} files that are open for writing follow later");
  // What an upload that was under way took is not counted here.
  if (done.value("uploaded_files", uint64_t{0}) == 0 && done.value("shared_bytes", uint64_t{0}) == 0)
    return "nothing was left to upload" + postponed;
  return fmt::format("uploaded {} files: {} in {} blobs{}{}", done.value("uploaded_files", uint64_t{0}),
                     size_of(done, "uploaded_bytes"), done.value("blobs", uint64_t{0}),
                     done.value("shared_bytes", uint64_t{0}) > 0
                         ? fmt::format("; {} that equal chunks have were not sent again", size_of(done, "shared_bytes"))
                         : "",
                     postponed);
}

Result<int> flush(const Arguments& arguments) {
  const json done = TRY(work(arguments, "flush", "uploading"));
  if (arguments.json)
    print_json(done);
  else
    fmt::print("{}\n", flushed(done));
  return kExitOk;
}

Result<int> evict(const Arguments& arguments) {
  const json done = TRY(work(arguments, "evict", "evicting"));
  for (const json& finding : done.value("findings", json::array()))
    print_error(fmt::format("tier evict: {}: {}", finding.value("name", ""), finding.value("what", "")));
  if (arguments.json)
    print_json(done);
  else
    fmt::print("evicted {} files, {} freed{}{}{}{}{}\n", done.value("evicted_files", uint64_t{0}),
               size_of(done, "evicted_bytes"), count_of(done, "pinned", "; {} stay: they are pinned"),
               count_of(done, "local_only", "; {} stay: they skip every tier"),
               staying(done, "open", "open or mapped now"),
               staying(done, "pending", "new or changed, and not in every colder tier yet (firn tier flush)"),
               count_of(done, "damaged", "; {} stay: colder tiers have them damaged (firn scrub)"));
  return done.value("damaged", uint64_t{0}) == 0 ? kExitOk : kExitFailure;
}

Result<int> warm(const Arguments& arguments) {
  const json done = TRY(work(arguments, "warm", "fetching"));
  if (arguments.json)
    print_json(done);
  else
    fmt::print("fetched {} files, {}\n", done.value("warmed_files", uint64_t{0}), size_of(done, "warmed_bytes"));
  return kExitOk;
}

// A line of `firn tier ls`; the policy's column is there when one is set.
void print_row(const std::string& size, const std::string& hot, const std::string& colder,
               const std::optional<std::string>& policy, const std::string& name) {
  const std::string column = policy ? fmt::format("{:<24} ", *policy) : "";
  fmt::print("{:>12}  {:<6} {:<8} {}{}\n", size, hot, colder, column, name);
}

void print_entry(const json& entry, bool policies) {
  std::optional<std::string> policy;
  if (policies) policy = entry.value("policy", "-");
  if (entry.value("directory", false)) return print_row("", "-", "-", policy, entry.value("name", "") + "/");
  const char* colder = entry.value("inline", false)       ? "metadata"
                       : entry.value("local_only", false) ? "never"
                       : entry.value("uploaded", false)   ? "all"
                       : entry.value("tiers", 0U) > 1     ? "some"
                                                          : "not yet";
  print_row(human_size(entry.value("size", uint64_t{0})), entry.value("hot", "-"), colder, policy,
            entry.value("name", ""));
}

// Of all pages.
Result<std::vector<json>> entries_of(const Target& target, const std::string& named) {
  Client client = TRY(Client::connect(target.served));
  std::vector<json> entries;
  std::string after;
  do {
    auto reply = client.call("GET", path_route("tiers", target) + "&after=" + after);
    if (!reply) return fail(on(named, std::move(reply).error()));
    const json page = TRY(parse_answer(reply->body));
    for (const json& entry : page.at("entries")) entries.push_back(entry);
    const json next = page.value("next", json());
    after = next.is_string() ? next.get<std::string>() : "";
  } while (!after.empty());
  return entries;
}

Result<int> list(const Arguments& arguments) {
  const Target target = TRY(target_of(arguments));
  const std::vector<json> entries = TRY(entries_of(target, arguments.path));
  const bool policies = std::ranges::any_of(entries, [](const json& entry) { return entry.contains("policy"); });
  if (!arguments.json)
    print_row("size", "hot", "colder", policies ? std::optional<std::string>("policy") : std::nullopt, "name");
  for (const json& entry : entries) {
    if (arguments.json)
      print_json(entry);
    else
      print_entry(entry, policies);
  }
  return kExitOk;
}

void add(Command& tier, const std::string& name, const std::string& brief, Result<int> (*run)(const Arguments&)) {
  Command command = tier.add(name, brief);
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->path, "A file, a folder, or a whole volume");
  command.flag("--all", arguments->all, "Everything in PATH's volume; without a PATH, in the one that is mounted");
  command.json(arguments->json, "The outcome as JSON");
  command.may_be_remote();
  command.runs([arguments, run, name]() -> Result<int> {
    if (arguments->path.empty() && !arguments->all)
      return misuse(fmt::format("tier: {}: PATH, or --all is required; see: firn help tier", name));
    return run(*arguments);
  });
}

}  // namespace

void add_tier(Command& firn) {
  Command command = firn.add("tier", "Move files between the local disk and colder tiers", kManual);
  command.needs_subcommand();
  add(command, "ls", "Tell where files are", list);
  add(command, "flush", "Upload what is pending", flush);
  add(command, "evict", "Free the local disk's copies", evict);
  add(command, "warm", "Bring files back to the local disk", warm);
  add_tier_set(command);
}

}  // namespace firn::cli
