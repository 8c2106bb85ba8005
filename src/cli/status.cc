// firn status
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/mounts.h"
#include "cli/target.h"
#include "cli/tier_report.h"
#include "cli/volume_folder.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kManual =
    "Tells how a served volume is: its health and why, how requests travel between kernel and daemon, use of space,\n"
    "and what is not on disk yet. VOLUME may also be a mount point. Without VOLUME, lists the volumes that are "
    "mounted\n"
    "on this machine. Exit code 0: all of them are well; 1: otherwise.";

struct Arguments {
  std::string volume;
  bool json = false;
};

Result<json> ask(const Served& served) {
  Client client = TRY(Client::connect(served));
  const Client::Reply reply = TRY(client.call("GET", "/v1/status"));
  return parse_answer(reply.body);
}

void row(std::string_view name, const std::string& value) { fmt::print("  {:<12} {}\n", name, value); }

void print_mount(const json& mount) {
  std::string point = mount.value("point", "");
  if (mount.value("detached", false))
    point += ", where it is detached: the daemon ends when nobody uses it any more (firn umount)";
  if (mount.value("elsewhere", false)) point += ", in another mount namespace: that of the daemon";
  row("mounted at", point);
  row("transport", fmt::format("{} ({})", mount.value("transport", ""), mount.value("transport_reason", "")));
  row("passthrough",
      fmt::format("{} ({})", mount.value("passthrough", false) ? "yes" : "no", mount.value("passthrough_reason", "")));
  row("protocol", fmt::format("FUSE {}, max_write {}, readahead {}", mount.value("protocol", ""),
                              human_size(mount.value("max_write", uint64_t{0})),
                              human_size(mount.value("readahead", uint64_t{0}))));
  const json requests = mount.value("requests", json::object());
  const json latency = mount.value("latency_ns", json::object());
  row("requests", fmt::format("{} over uring, {} over dev; p50 {} us, p99 {} us", requests.value("uring", uint64_t{0}),
                              requests.value("dev", uint64_t{0}), latency.value("p50", uint64_t{0}) / 1000,
                              latency.value("p99", uint64_t{0}) / 1000));
}

void print_status(const json& body) {
  fmt::print("{}: {}\n", body.value("volume", ""), body.value("health", "unknown"));
  for (const json& reason : body.value("reasons", json::array())) row("", reason.get<std::string>());
  row("daemon", fmt::format("{}, process {}, up {}", body.value("version", ""), body.value("pid", uint64_t{0}),
                            format_duration(body.value("uptime_s", int64_t{0}) * 1'000'000'000)));
  if (body.contains("mount")) {
    print_mount(body["mount"]);
  } else {
    row("mounted at", "nowhere");
  }
  std::string served = "firn.sock";
  for (const json& address : body.value("http", json::array())) served += ", " + address.get<std::string>();
  if (body.contains("nfs")) served += ", nfs at " + body.value("nfs", "");
  row("served at", served);
  const json usage = body.value("usage", json::object());
  row("used",
      fmt::format("{} inodes, {}", usage.value("inodes", uint64_t{0}), human_size(usage.value("bytes", uint64_t{0}))));
  const json disk = body.value("disk", json::object());
  row("disk", fmt::format("{} available of {}", human_size(disk.value("available_bytes", uint64_t{0})),
                          human_size(disk.value("total_bytes", uint64_t{0}))));
  if (body.contains("tiers")) print_tiers(body["tiers"]);
  if (body.contains("following"))
    row("following", fmt::format("what another machine writes, {} ms behind at most",
                                 body["following"].value("behind_ms", int64_t{0})));
  const json unsynced = body.value("unsynced", json::object());
  row("unsynced", fmt::format("{} commits, the oldest {} ms old", unsynced.value("commits", uint64_t{0}),
                              unsynced.value("age_ms", uint64_t{0})));
  const json files = body.value("files", json::object());
  row("files", fmt::format("{} open ({} with passthrough), {} known to the kernel, {} removed and waiting",
                           files.value("open", uint64_t{0}), files.value("passthrough", uint64_t{0}),
                           files.value("known_inodes", uint64_t{0}), files.value("orphans", uint64_t{0})));
  const json scratch = body.value("scratch", json::object());
  row("scratch pool",
      fmt::format("{} ready, {} waiting for a sync, {} objects open", scratch.value("ready", uint64_t{0}),
                  scratch.value("waiting", uint64_t{0}), scratch.value("open_objects", uint64_t{0})));
}

Result<int> show_one(const Arguments& arguments) {
  const Served served = TRY(served_volume(arguments.volume));
  json body = TRY(ask(served));
  if (!served.remote && body.contains("mount") && !mount_of_volume(served.paths.root)) {
    const auto holder = find_holder(served.paths);
    body["mount"][holder && is_mounted_for(holder->pid, served.paths.root) ? "elsewhere" : "detached"] = true;
  }
  if (arguments.json) {
    print_json(body);
  } else {
    print_status(body);
  }
  return body.value("health", "") == "ok" ? kExitOk : kExitFailure;
}

Result<int> show_all(bool as_json) {
  const std::vector<Mount> mounts = TRY(list_mounts());
  json list = json::array();
  bool well = true;
  for (const Mount& mount : mounts) {
    std::string health = "left by a daemon that has ended";
    if (!is_left_over(mount)) {
      const Result<json> body = ask({.paths = {mount.source}});
      health = body ? body->value("health", "unknown") : "does not answer: " + body.error().to_string();
    }
    well &= health == "ok";
    list.push_back({{"point", mount.point}, {"volume", mount.source}, {"health", health}});
    if (!as_json) fmt::print("{}  {}  {}\n", mount.point, mount.source, health);
  }
  if (as_json) print_json(list);
  if (mounts.empty() && !as_json) fmt::print("no volume is mounted\n");
  return well ? kExitOk : kExitFailure;
}

}  // namespace

void add_status(Command& firn) {
  Command command = firn.add("status", "Tell how volumes are", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted");
  command.json(arguments->json, "Everything, as one JSON value");
  command.may_be_remote();
  command.runs([arguments]() -> Result<int> {
    const bool one = !arguments->volume.empty() || TRY(chosen_remote());
    return one ? show_one(*arguments) : show_all(arguments->json);
  });
}

}  // namespace firn::cli
