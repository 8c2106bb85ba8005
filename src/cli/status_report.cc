#include "cli/status_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/hex.h"
#include "cli/json.h"
#include "cli/tier_report.h"
#include "cli/version.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr uint64_t kLowSpaceBytes = 256 << 20;

json describe_mount(const fuse::SessionInfo& info) {
  json operations = json::object();
  for (const fuse::OpcodeInfo& opcode : info.opcodes)
    operations[std::string(opcode.name)] = {{"requests", opcode.requests}, {"errors", opcode.errors}};
  return {{"point", info.mount_point},
          {"connected", info.connected},
          {"transport", fuse::transport_name(info.transport)},
          {"transport_reason", info.transport_reason},
          {"passthrough", info.passthrough},
          {"passthrough_reason", info.passthrough_reason},
          {"protocol", fmt::format("7.{}", info.protocol_minor)},
          {"max_write", info.max_write},
          {"requests", {{"uring", info.uring_requests}, {"dev", info.dev_requests}}},
          {"latency_ns", {{"p50", info.latency_ns.p50}, {"p99", info.latency_ns.p99}, {"p999", info.latency_ns.p999}}},
          {"operations", operations}};
}

}  // namespace

StatusSource::StatusSource(RunningVolume& running, const VolumePaths& paths, const Settings& settings)
    : running_(running), paths_(paths), settings_(settings), started_ns_(system_clock().monotonic_ns()) {}

io::Task<std::string> StatusSource::report() const {
  json reasons = json::array();
  bool failing = false;
  json body = {{"version", version_text()},
               {"volume", paths_.root},
               {"id", to_hex(running_.record().id)},
               {"pid", getpid()},
               {"uptime_s", (system_clock().monotonic_ns() - started_ns_) / 1'000'000'000},
               {"recovered", !running_.was_clean()}};

  const auto usage = co_await running_.meta().usage();
  if (usage) body["usage"] = {{"inodes", usage->inodes}, {"bytes", usage->bytes}};
  if (const auto disk = co_await running_.store().usage()) {
    body["disk"] = {{"total_bytes", disk->total_bytes}, {"available_bytes", disk->available_bytes}};
    if (disk->available_bytes < kLowSpaceBytes)
      reasons.push_back(fmt::format("the disk has only {} left; free some space", human_size(disk->available_bytes)));
  }
  const int64_t age_ns = running_.handover().unsynced_age_ns();
  const kv::Version last = running_.engine().last_version();
  const kv::Version synced = running_.engine().synced_version();
  body["unsynced"] = {{"commits", last > synced ? last - synced : 0}, {"age_ms", age_ns / 1'000'000}};
  if (age_ns > settings_.sync_interval_ns * 10)
    reasons.push_back(fmt::format("changes have waited {} ms for the {}; it is slow or stuck", age_ns / 1'000'000,
                                  settings_.tiers.durability == "object" ? "bucket" : "disk"));
  if (running_.handover().failing()) {
    failing = true;
    reasons.push_back(fmt::format("the metadata log cannot be written; see {}", paths_.log()));
  }

  if (RunningTiers* tiers = running_.tiers())
    body["tiers"] =
        describe_tiers(tiers->stores().info(), tiers->limits().report(), running_.volume().tier_statistics(),
                       system_clock().now(), tiers->repairs(), reasons);
  if (usage && running_.tiers()) describe_kept(*usage, body["tiers"]);
  if (Shipping* shipping = running_.shipping()) {
    body["tiers"]["metadata"] = describe_shipping(shipping->report(), shipping->permitted(), reasons);
    failing |= !shipping->permitted().ok();
  }
  if (Following* following = running_.following()) {
    const Following::Report report = following->report();
    body["following"] = {{"behind_ms", report.behind_ns / 1'000'000}};
    if (!report.failure.ok())
      reasons.push_back(
          fmt::format("what is shown is {} s old: {}", report.behind_ns / 1'000'000'000, report.failure.to_string()));
  }
  const data::StoreStatistics store = running_.store().statistics();
  body["scratch"] = {
      {"ready", store.scratch_ready}, {"waiting", store.scratch_waiting}, {"open_objects", store.open_objects}};
  const vfs::VolumeStatistics files = running_.volume().statistics();
  body["files"] = {{"known_inodes", files.known_inodes},
                   {"open", files.open_files},
                   {"passthrough", files.passthrough_files},
                   {"orphans", files.orphans_waiting}};
  json engine = json::object();
  for (const auto& [name, value] : running_.engine().statistics()) engine[name] = value;
  body["engine"] = engine;
  if (session) body["mount"] = describe_mount(session->info());
  body["health"] = failing ? "failing" : reasons.empty() ? "ok" : "degraded";
  body["reasons"] = reasons;
  co_return dump_json(body);
}

}  // namespace firn::cli
