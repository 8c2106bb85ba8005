// firn wal: what waits to be uploaded.
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/mounts.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kManual =
    "Lists the files of which colder tiers lack something, and since when: the write-ahead list of uploads, which "
    "survives\n"
    "crashes. A file leaves it when every colder tier has all of it.\n\n"
    "Those that have waited longest come first, --limit of them; with --all all of them, in order of inodes.";

struct Arguments {
  std::string volume;
  int64_t limit = 1000;
  bool all = false;
  bool json = false;
};

constexpr int64_t kPage = 10'000;  // files, the most in one answer

// With --all, page after page: `take` gets each answer.
template <class Take>
Result<void> fetch(Client& client, const Arguments& arguments, Take take) {
  if (!arguments.all) {
    const auto reply = TRY(client.call("GET", fmt::format("/v1/admin/wal?order=age&limit={}", arguments.limit)));
    take(TRY(parse_answer(reply.body)));
    return {};
  }
  for (uint64_t after = 0;;) {
    const auto reply = TRY(client.call("GET", fmt::format("/v1/admin/wal?limit={}&after={}", kPage, after)));
    const json body = TRY(parse_answer(reply.body));
    take(body);
    if (!body.contains("next") || body.at("next").is_null()) return {};
    after = body.at("next").get<uint64_t>();
  }
}

void print_files(const json& pending) {
  for (const json& file : pending) {
    const int64_t age_s = std::max<int64_t>(std::time(nullptr) - file.value("since", int64_t{0}), 0);
    const std::string name = file.value("name", "");
    fmt::print("{:>10}  {:>8}  {}\n", human_size(file.value("bytes", uint64_t{0})),
               format_duration(age_s * 1'000'000'000),
               name.empty() ? fmt::format("(inode {}, without a name)", file.value("inode", uint64_t{0})) : name);
  }
}

Result<int> show(const Arguments& arguments) {
  if (arguments.volume.empty() && !TRY(chosen_remote())) return misuse("wal: VOLUME is required; see: firn help wal");
  const Served served = TRY(served_volume(arguments.volume));
  Client client = TRY(Client::connect(served));
  json files = json::array(), last;
  size_t count = 0;
  TRY(fetch(client, arguments, [&](const json& body) {
    const json& pending = body.at("pending");
    count += pending.size();
    if (arguments.json)
      files.insert(files.end(), pending.begin(), pending.end());
    else
      print_files(pending);
    last = body;
  }));
  if (arguments.json) {
    last["pending"] = std::move(files);
    print_json(last);
    return kExitOk;
  }
  if (count == 0) fmt::print("nothing is pending\n");
  if (!arguments.all && std::cmp_equal(count, arguments.limit)) fmt::print("(there may be more: --all)\n");
  if (last.contains("failure")) fmt::print("the last upload failed: {}\n", last.value("failure", ""));
  return kExitOk;
}

}  // namespace

void add_wal(Command& firn) {
  Command command = firn.add("wal", "List what waits to be uploaded", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted; none with --url");
  command.value("--limit", arguments->limit, "At most so many files, the oldest first (1000)").between(1, kPage);
  command.flag("--all", arguments->all, "All files, in order of inodes");
  command.json(arguments->json, "As one JSON value");
  command.may_be_remote();
  command.runs([arguments] { return show(*arguments); });
}

}  // namespace firn::cli
