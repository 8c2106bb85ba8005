#include "cli/devices_report.h"

#include <nlohmann/json.hpp>

#include "cli/json.h"

namespace firn::cli {
namespace {

constexpr int64_t kValidNs = 2'000'000'000;

}  // namespace

nlohmann::json describe_devices(const discovery::Found& found) {
  nlohmann::json devices = nlohmann::json::array();
  for (const discovery::Peer& peer : found.peers)
    devices.push_back({{"name", peer.service.name},
                       {"id", peer.service.id},
                       {"version", peer.service.version},
                       {"tls", peer.service.tls},
                       {"host", peer.host},
                       {"address", peer.endpoint()},
                       {"url", peer.url()}});
  nlohmann::json body = {{"devices", devices}};
  if (!found.notice.empty()) body["notice"] = found.notice;
  return body;
}

io::Task<std::string> Neighbours::report() {
  const auto held = co_await searching_.lock();
  Clock& clock = io::Reactor::current()->clock();
  if (clock.monotonic_ns() < valid_until_ns_) co_return last_;
  const discovery::Found found = co_await pool_->run([] { return discovery::browse({}); });
  last_ = dump_json(describe_devices(found));
  valid_until_ns_ = clock.monotonic_ns() + kValidNs;
  co_return last_;
}

}  // namespace firn::cli
