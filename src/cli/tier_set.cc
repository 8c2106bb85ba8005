#include "cli/tier_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/daemon_work.h"
#include "cli/json.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kManual =
    "Sets the policy of a file, or of a folder and all that is below it. What is made in a folder later begins with\n"
    "the folder's policy; what is moved keeps its own. Without options, the policy of PATH is printed.\n\n"
    "  --pin hot     the files are never evicted from the local disk. What of them is not there now is not brought\n"
    "                back by this: firn tier warm PATH does that\n"
    "  --skip NAME   the files are not uploaded to tier NAME; repeat it for several. These replace the tiers that\n"
    "                were skipped before. What the tier has already stays there until a file is rewritten. A file "
    "that\n"
    "                skips every tier is on the local disk only, and is lost with it\n"
    "  --clear       back to the default: every tier gets the files, and they may be evicted\n\n"
    "What is not named stays as it is. Small files (data.inline_max) are a part of the metadata, which always goes to\n"
    "the last tier. The same for one file by its owner: setfattr -n user.firn.policy -v \"pin=hot skip=NAME\" FILE";

struct Arguments {
  std::string path, pin;
  std::vector<std::string> skip;
  bool clear = false, json = false;

  bool changes() const { return clear || !pin.empty() || !skip.empty(); }
};

// As the daemon wants it: "pin=hot skip=a,b".
std::string text_of(const Arguments& arguments) {
  std::string text = arguments.pin.empty() ? "" : "pin=" + arguments.pin;
  for (const std::string& name : arguments.skip)
    text += (&name == &arguments.skip.front() ? (text.empty() ? "skip=" : " skip=") : ",") + name;
  return text;
}

void tell(const Arguments& arguments, const json& done, const std::string& last_tier) {
  const std::string policy = done.value("policy", "");
  const auto number = [&](const char* name) { return done.value(name, uint64_t{0}); };
  fmt::print("{}: set for {} files and {} folders\n", policy.empty() ? "the default policy" : policy,
             number("set_files"), number("set_folders"));
  if (!arguments.pin.empty())
    fmt::print("{} of the files are not on the local disk; this brings them back: firn tier warm {}\n", number("away"),
               arguments.path);
  if (std::ranges::find(arguments.skip, last_tier) != arguments.skip.end())
    fmt::print("small files are a part of the metadata, which goes to tier {} all the same\n", last_tier);
}

Result<int> set(const Arguments& arguments) {
  const Target target = TRY(find_tree(arguments.path));
  Client client = TRY(Client::connect(target.served));
  auto reply = client.call("GET", path_route("policy", target));
  if (!reply) return fail(on(arguments.path, std::move(reply).error()));
  const json now = TRY(parse_answer(reply->body));
  if (!arguments.changes()) {
    const std::string policy = now.value("policy", "");
    fmt::print("{}\n", arguments.json ? dump_json(now) : policy.empty() ? "the default" : policy);
    return kExitOk;
  }
  const auto tiers = now.value("tiers", std::vector<std::string>());
  for (const std::string& name : arguments.skip)
    if (std::ranges::find(tiers, name) == tiers.end())
      return misuse(
          fmt::format("tier set: {}: the volume has no tier of that name; it has {}", name, fmt::join(tiers, ", ")));
  const std::string route = fmt::format("/v1/admin/policy?path={}&{}={}", http::encode_parameter(target.inner),
                                        arguments.clear ? "clear" : "set", http::encode_parameter(text_of(arguments)));
  const Result<json> done = daemon_work(target.served, route, "setting");
  if (!done) return fail(on(arguments.path, done.error()));
  if (arguments.json)
    fmt::print("{}\n", done->dump());
  else
    tell(arguments, *done, tiers.back());
  return kExitOk;
}

}  // namespace

void add_tier_set(Command& tier) {
  Command command = tier.add("set", "Say where files are to be: pin them, or keep them out of a tier", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->path, "A file, a folder, or a whole volume").required();
  const Option pin = command.value("--pin", arguments->pin, "hot: never evict").one_of({"hot"});
  const Option skip = command.value("--skip", arguments->skip, "A tier that does not get the files").one_at_a_time();
  command.flag("--clear", arguments->clear, "Back to the default").excludes(pin).excludes(skip);
  command.json(arguments->json, "The outcome as JSON");
  command.may_be_remote();
  command.runs([arguments] { return set(*arguments); });
}

}  // namespace firn::cli
