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
// Files that wait longer than both of these for a colder tier are a reason to look.
constexpr int64_t kLongPendingS = 600;
constexpr int64_t kLongPendingIntervals = 20;

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
          {"readahead", info.readahead_bytes},
          {"requests", {{"uring", info.uring_requests}, {"dev", info.dev_requests}}},
          {"latency_ns", {{"p50", info.latency_ns.p50}, {"p99", info.latency_ns.p99}, {"p999", info.latency_ns.p999}}},
          {"operations", operations}};
}

}  // namespace

StatusSource::StatusSource(RunningVolume& running, const VolumePaths& paths, const Settings& settings)
    : running_(running), paths_(paths), settings_(settings), started_ns_(system_clock().monotonic_ns()) {}

// "ok", "degraded" or "failing", and the reasons for it.
struct StatusSource::Health {
  json reasons = json::array();
  bool failing = false;

  void degraded_by(std::string reason) { reasons.push_back(std::move(reason)); }
  void failing_by(std::string reason) {
    failing = true;
    reasons.push_back(std::move(reason));
  }
  const char* name() const { return failing ? "failing" : reasons.empty() ? "ok" : "degraded"; }
};

void StatusSource::judge_log(json& body, Health& health) const {
  const int64_t age_ns = running_.handover().unsynced_age_ns();
  const kv::Version last = running_.engine().last_version();
  const kv::Version synced = running_.engine().synced_version();
  body["unsynced"] = {{"commits", last > synced ? last - synced : 0}, {"age_ms", age_ns / 1'000'000}};
  if (age_ns > settings_.sync_interval_ns * 10)
    health.degraded_by(fmt::format("changes have waited {} ms for the {}; it is slow or stuck", age_ns / 1'000'000,
                                   settings_.tiers.durability == "object" ? "bucket" : "disk"));
  if (running_.handover().failing())
    health.failing_by(fmt::format("the metadata log cannot be written; see {}", paths_.log()));
  json engine = json::object();
  for (const auto& [name, value] : running_.engine().statistics()) engine[name] = value;
  body["engine"] = engine;
}

void StatusSource::judge_tiers(const meta::Usage* usage, json& body, Health& health) const {
  RunningTiers* tiers = running_.tiers();
  if (!tiers) return;
  const vfs::TierStatistics state = running_.volume().tier_statistics();
  const Timestamp now = system_clock().now();
  body["tiers"] =
      describe_tiers(tiers->stores().info(), tiers->limits().report(), state, now, tiers->repairs(), health.reasons);
  health.failing |= state.room.state == vfs::RoomState::kFull;
  const int64_t waits_s = state.pending_files > 0 ? now.seconds - state.oldest_pending.seconds : 0;
  if (waits_s > std::max(kLongPendingS, kLongPendingIntervals * settings_.tiers.flush_interval_ns / 1'000'000'000))
    health.degraded_by(fmt::format("{} files are not in every colder tier, the oldest for {}{}", state.pending_files,
                                   format_duration(waits_s * 1'000'000'000),
                                   state.last_failure.ok() ? "" : ": " + state.last_failure.to_string()));
  if (const Status failure = tiers->limits().last_failure(); !failure.ok()) {
    body["tiers"]["make_room_failure"] = failure.to_string();
    health.degraded_by("a tier that is to make room cannot: " + failure.to_string());
  }
  if (usage) describe_kept(*usage, body["tiers"]);
  if (Shipping* shipping = running_.shipping()) {
    body["tiers"]["metadata"] = describe_shipping(shipping->report(), shipping->permitted(), health.reasons);
    health.failing |= !shipping->permitted().ok();
  }
}

void StatusSource::judge_following(json& body, Health& health) const {
  Following* following = running_.following();
  if (!following) return;
  const Following::Report report = following->report();
  body["following"] = {{"behind_ms", report.behind_ns / 1'000'000}};
  if (!report.failure.ok())
    health.degraded_by(
        fmt::format("what is shown is {} s old: {}", report.behind_ns / 1'000'000'000, report.failure.to_string()));
}

void StatusSource::describe_use(json& body) const {
  const data::StoreStatistics store = running_.store().statistics();
  body["scratch"] = {
      {"ready", store.scratch_ready}, {"waiting", store.scratch_waiting}, {"open_objects", store.open_objects}};
  const vfs::VolumeStatistics files = running_.volume().statistics();
  body["files"] = {{"known_inodes", files.known_inodes},
                   {"open", files.open_files},
                   {"passthrough", files.passthrough_files},
                   {"orphans", files.orphans_waiting}};
}

void StatusSource::judge_doors(json& body, Health& health) const {
  if (session) {
    const fuse::SessionInfo info = session->info();
    body["mount"] = describe_mount(info);
    if (!info.connected) health.failing_by(fmt::format("{} is not mounted any more", info.mount_point));
  }
  body["http"] = http;
  if (!nfs.empty()) body["nfs"] = nfs;
}

io::Task<std::string> StatusSource::report() const {
  Health health;
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
      health.degraded_by(fmt::format("the disk has only {} left; free some space", human_size(disk->available_bytes)));
  }
  judge_log(body, health);
  judge_tiers(usage ? &*usage : nullptr, body, health);
  judge_following(body, health);
  describe_use(body);
  judge_doors(body, health);
  body["health"] = health.name();
  body["reasons"] = health.reasons;
  co_return dump_json(body);
}

}  // namespace firn::cli
