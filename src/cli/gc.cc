// firn gc and firn scrub: work of the daemon on a volume's colder tiers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/daemon_work.h"
#include "cli/json.h"
#include "cli/target.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kGcManual =
    "Removes from colder tiers what no file needs any more, and repacks what is mostly dead. The daemon does it once "
    "an "
    "hour\n"
    "by itself; space comes back after tiers.retention, so that a state of the volume that is restored meanwhile "
    "finds\n"
    "everything. Before anything is removed all records are counted: what a record refers to never goes.";
constexpr const char* kScrubManual =
    "Reads everything, on the local disk and in colder tiers, and compares it with its checksums. What is damaged in "
    "one\n"
    "place is repaired from another; of the metadata in the last tier, what is damaged is sent again. Costs a GET for "
    "every 8 MiB or so that tiers hold. Exit code 0: all is well.";

struct Arguments {
  std::string volume;
  bool dry_run = false, json = false;
  std::string grace, rate;
};

uint64_t number(const json& body, const char* name) { return body.value(name, uint64_t{0}); }

Result<int> collect(const Arguments& arguments) {
  std::string route = fmt::format("/v1/admin/gc?dry_run={}", arguments.dry_run ? 1 : 0);
  if (!arguments.grace.empty()) {
    const auto grace_ns = parse_duration(arguments.grace);
    if (!grace_ns) return misuse(fmt::format("gc: --grace: {} is not a duration such as 24h", arguments.grace));
    route += fmt::format("&grace={}", *grace_ns / 1'000'000'000);
  }
  const VolumePaths paths = TRY(local_volume(arguments.volume));
  const json done = TRY(daemon_work({.paths = paths}, route, "collecting"));
  if (arguments.json) {
    print_json(done);
  } else {
    uint64_t bytes = 0;
    for (const json& one : done.value("removed_bytes", json::array())) bytes += one.get<uint64_t>();
    const char* would = arguments.dry_run ? "would be " : "";
    fmt::print("{} blobs: {} needed, {} dead; {} {}removed ({} in all tiers), {} wait; {} {}repacked\n",
               number(done, "blobs"), number(done, "live"), number(done, "dead"), number(done, "removed"), would,
               human_size(bytes), number(done, "waiting"), number(done, "repacked"), would);
    if (number(done, "held") > 0)
      fmt::print("{} of those that wait are held by read-only mounts elsewhere, for up to two minutes\n",
                 number(done, "held"));
    if (done.contains("failure"))
      fmt::print("{} could not be: {}\n", number(done, "failed"), done.value("failure", ""));
  }
  return number(done, "failed") == 0 ? kExitOk : kExitFailure;
}

void print_findings(const json& report) {
  for (const json& finding : report.value("findings", json::array())) {
    const std::string tier = finding.value("tier", "");
    fmt::print("{}: {}: {}{}\n", tier.empty() ? "local disk" : tier, finding.value("place", ""),
               finding.value("what", ""), finding.value("repaired", false) ? " (repaired)" : "");
  }
}

Result<int> scrub(const Arguments& arguments) {
  uint64_t rate = 0;
  if (!arguments.rate.empty()) {
    const auto parsed = parse_size(arguments.rate);
    if (!parsed) return misuse(fmt::format("scrub: --rate: {} is not a size such as 8MiB", arguments.rate));
    rate = *parsed;
  }
  const std::string route = fmt::format("/v1/admin/scrub?rate={}", rate);
  const VolumePaths paths = TRY(local_volume(arguments.volume));
  const json done = TRY(daemon_work({.paths = paths}, route, "scrubbing"));
  const json hot = done.value("hot", json::object()), cold = done.value("cold", json::object()),
             metadata = done.value("metadata", json::object());
  if (arguments.json) {
    print_json(done);
  } else {
    print_findings(hot);
    print_findings(cold);
    for (const json& finding : metadata.value("findings", json::array()))
      fmt::print("metadata: {}: {}{}\n", finding.value("object", ""), finding.value("what", ""),
                 finding.value("repaired", false) ? " (repaired)" : "");
    fmt::print("local disk: {} files, {} read, {} damaged, {} repaired\n", number(hot, "files"),
               human_size(number(hot, "read_bytes")), number(hot, "damaged"), number(hot, "repaired"));
    fmt::print("colder tiers: {} objects, {} read, {} damaged, {} repaired, {} chunks lost, {} did not answer\n",
               number(cold, "objects"), human_size(number(cold, "read_bytes")), number(cold, "damaged"),
               number(cold, "repaired"), number(cold, "lost_chunks"), number(cold, "unanswered"));
    fmt::print("metadata in the coldest tier: {} tables, {} objects of log, {} read, {} damaged, {} repaired{}\n",
               number(metadata, "tables"), number(metadata, "logs"), human_size(number(metadata, "read_bytes")),
               number(metadata, "damaged"), number(metadata, "repaired"),
               metadata.contains("failure") ? "; " + metadata.value("failure", "") : "");
  }
  return done.value("clean", false) ? kExitOk : kExitFailure;
}

}  // namespace

void add_gc(Command& firn) {
  Command command = firn.add("gc", "Remove from colder tiers what nothing needs", kGcManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted").required();
  command.flag("--dry-run", arguments->dry_run, "Only tell what would be removed");
  command.value("--grace", arguments->grace, "Instead of tiers.retention, such as 0s");
  command.json(arguments->json, "The outcome as JSON");
  command.runs([arguments] { return collect(*arguments); });
}

void add_scrub(Command& firn) {
  Command command = firn.add("scrub", "Verify and repair everything a volume holds", kScrubManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted").required();
  command.value("--rate", arguments->rate, "At most so many bytes each second, such as 8MiB");
  command.json(arguments->json, "The outcome as JSON");
  command.runs([arguments] { return scrub(*arguments); });
}

}  // namespace firn::cli
