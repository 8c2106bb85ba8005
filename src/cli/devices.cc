// firn devices: the volumes on the network.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/devices_report.h"
#include "cli/json.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kManual =
    "Lists the volumes whose daemons announce themselves on the local network by mDNS: name, id, version of the "
    "daemon,\n"
    "URL and address. It takes one to three seconds, and needs Avahi on this machine (package avahi-daemon). With "
    "--url,\n"
    "what the daemon there sees. The names are what the network says: anybody on it can claim any.";

constexpr size_t kShownIdDigits = 8;

Result<json> find_devices() {
  const auto remote = TRY(chosen_remote());
  if (!remote) return describe_devices(discovery::browse({}));
  Client client = TRY(Client::connect(Served{.remote = remote}));
  return parse_answer(TRY(client.call("GET", "/v1/devices")).body);
}

Result<int> list(bool as_json) {
  const json found = TRY(find_devices());
  if (found.contains("notice")) print_error("devices: notice: " + found.value("notice", ""));
  if (as_json) {
    print_json(found);
    return kExitOk;
  }
  for (const json& device : found.value("devices", json::array()))
    fmt::print("{:<20}  {}  {:<8}  {:<32}  {}\n", device.value("name", ""),
               device.value("id", "").substr(0, kShownIdDigits), device.value("version", ""), device.value("url", ""),
               device.value("address", ""));
  return kExitOk;
}

}  // namespace

void add_devices(Command& firn) {
  Command command = firn.add("devices", "List the volumes on the network", kManual);
  auto as_json = std::make_shared<bool>(false);
  command.json(*as_json, "As one JSON value");
  command.may_be_remote();
  command.runs([as_json] { return list(*as_json); });
}

}  // namespace firn::cli
