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
    "crashes. A file leaves it when every colder tier has all of it.";

struct Arguments {
  std::string volume;
  int64_t limit = 1000;
  bool json = false;
};

Result<int> show(const Arguments& arguments) {
  if (arguments.volume.empty() && !TRY(chosen_remote())) return misuse("wal: VOLUME is required; see: firn help wal");
  const Served served = TRY(served_volume(arguments.volume));
  Client client = TRY(Client::connect(served));
  const auto reply = TRY(client.call("GET", fmt::format("/v1/admin/wal?limit={}", arguments.limit)));
  const json body = TRY(parse_answer(reply.body));
  if (arguments.json) {
    print_json(body);
    return kExitOk;
  }
  const json& pending = body.at("pending");
  for (const json& file : pending) {
    const int64_t age_s = std::max<int64_t>(std::time(nullptr) - file.value("since", int64_t{0}), 0);
    const std::string name = file.value("name", "");
    fmt::print("{:>10}  {:>8}  {}\n", human_size(file.value("bytes", uint64_t{0})),
               format_duration(age_s * 1'000'000'000),
               name.empty() ? fmt::format("(inode {}, without a name)", file.value("inode", uint64_t{0})) : name);
  }
  if (pending.empty()) fmt::print("nothing is pending\n");
  if (std::cmp_equal(pending.size(), arguments.limit)) fmt::print("(there may be more: --limit)\n");
  if (body.contains("failure")) fmt::print("the last upload failed: {}\n", body.value("failure", ""));
  return kExitOk;
}

}  // namespace

void add_wal(Command& firn) {
  Command command = firn.add("wal", "List what waits to be uploaded", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted; none with --url");
  command.value("--limit", arguments->limit, "At most so many files (1000)").between(1, 10'000);
  command.json(arguments->json, "As one JSON value");
  command.may_be_remote();
  command.runs([arguments] { return show(*arguments); });
}

}  // namespace firn::cli
