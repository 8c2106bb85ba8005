#include "cli/maintenance.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "base/log.h"
#include "cli/json.h"
#include "http/json.h"
#include "http/tree_walk.h"
#include "io/reactor.h"
#include "tier/collector.h"
#include "tier/scrubber.h"

namespace firn::cli {

namespace {

using nlohmann::json;

constexpr int64_t kCollectEveryNs = 3600'000'000'000;
constexpr int64_t kMakeRoomEveryNs = 2'000'000'000;
constexpr int64_t kMakeRoomAgainNs = 10'000'000'000;  // after a failure
constexpr int64_t kFirstScrubNs = 60'000'000'000;     // after the start, which has enough to do
constexpr int64_t kKeepStateNs = 300'000'000'000;
constexpr int64_t kScrubEveryNs = 24 * kCollectEveryNs;

json json_of(const tier::CollectSummary& summary) {
  json body = {{"blobs", summary.blobs},
               {"live", summary.live},
               {"dead", summary.dead},
               {"waiting", summary.waiting},
               {"held", summary.held},
               {"removed", summary.removed},
               {"removed_bytes", summary.removed_bytes},
               {"repacked", summary.repacked},
               {"moved_chunks", summary.moved_chunks},
               {"moved_bytes", summary.moved_bytes},
               {"wrong_counters", summary.wrong_counters},
               {"failed", summary.failed}};
  if (!summary.first_failure.ok()) body["failure"] = summary.first_failure.to_string();
  return body;
}

using Paths = std::map<InodeId, std::string>;

// What is damaged, as a person knows it.
std::string place_of(const tier::ScrubFinding& finding, const Paths& paths) {
  if (finding.inode == InodeId()) return fmt::format("blob {}", to_hex(finding.blob));
  const auto path = paths.find(finding.inode);
  const std::string file = path == paths.end() || path->second.empty()
                               ? fmt::format("inode {} (no name found)", finding.inode.value)
                               : path->second;
  return fmt::format("{} chunk {}", file, finding.chunk.value);
}

json json_of(const tier::ScrubFinding& finding, const Paths& paths) {
  json body = {{"tier", finding.tier},
               {"blob", to_hex(finding.blob)},
               {"inode", finding.inode.value},
               {"chunk", finding.chunk.value},
               {"what", finding.what.to_string()},
               {"repaired", finding.repaired},
               {"place", place_of(finding, paths)}};
  if (const auto path = paths.find(finding.inode); path != paths.end()) http::put_name(body, path->second);
  return body;
}

json json_of(const tier::ScrubReport& report, const Paths& paths) {
  json findings = json::array();
  for (const tier::ScrubFinding& finding : report.findings) findings.push_back(json_of(finding, paths));
  json body = {{"blobs", report.blobs},
               {"objects", report.objects},
               {"frames", report.frames},
               {"files", report.files},
               {"chunks", report.chunks},
               {"skipped_files", report.skipped_files},
               {"read_bytes", report.bytes},
               {"damaged", report.damaged},
               {"repaired", report.repaired},
               {"rescued_chunks", report.rescued_chunks},
               {"requeued_chunks", report.requeued_chunks},
               {"lost_chunks", report.lost_chunks},
               {"unanswered", report.unanswered},
               {"findings", findings}};
  if (!report.first_failure.ok()) body["failure"] = report.first_failure.to_string();
  return body;
}

json json_of(const tier::MetadataReport& report) {
  json findings = json::array();
  uint64_t repaired = 0;
  for (const tier::MetadataDamage& damage : report.damage) {
    findings.push_back({{"object", damage.object}, {"what", damage.what.to_string()}, {"repaired", damage.repaired}});
    repaired += damage.repaired;
  }
  return {{"root", report.root},        {"tables", report.tables},         {"logs", report.logs},
          {"read_bytes", report.bytes}, {"damaged", report.damage.size()}, {"repaired", repaired},
          {"findings", findings}};
}

}  // namespace

Status Maintenance::permitted() const {
  const Shipping* shipping = running_.shipping();
  return shipping != nullptr ? shipping->permitted() : Status(Code::kReadOnly, "the volume is mounted read-only");
}

io::Task<Result<std::string>> Maintenance::collect(Collecting what, http::WorkProgress* progress,
                                                   io::CancelToken* token) {
  CO_TRY(permitted());
  auto lock = co_await busy_.lock();
  RunningTiers& tiers = *running_.tiers();
  tier::CollectOptions options;
  options.grace_ns = what.grace_ns;
  // Where another machine may have served the volume before, its last puts may still be on their way.
  if (settings_.tiers.durability != "object") options.putting_since = began_;
  options.under_way = &tiers.parts().uploader.under_way();
  options.dry_run = what.dry_run;
  options.codec = codec_of(settings_.tiers);
  options.key = tiers.key();
  options.dedup = settings_.tiers.dedup;
  options.on_damage = tiers.on_damage();
  // A state of the metadata that a restore may find must not refer to what is gone.
  // Nor one that readers elsewhere follow.
  options.before_remove = [this, dry_run = what.dry_run] { return running_.shipping()->removable_until(!dry_run); };
  if (progress) options.progress = [progress](std::string_view, uint64_t done) { progress->files = done; };
  tier::Collector collector(
      {running_.meta(), tiers.parts().tiering, running_.pool(), system_random(), tiers.stores().tiers()},
      std::move(options));
  const tier::CollectSummary summary = CO_TRY(co_await collector.pass(token));
  co_return dump_json(json_of(summary));
}

tier::Scrubber Maintenance::make_scrubber(tier::ScrubOptions options) {
  RunningTiers& tiers = *running_.tiers();
  options.chunk_bytes = running_.record().chunk_bytes;
  options.codec = codec_of(settings_.tiers);
  options.key = tiers.key();
  options.dedup = settings_.tiers.dedup;
  return {{running_.meta(), tiers.parts().tiering, running_.store(), running_.pool(), system_random(),
           tiers.stores().tiers(), &tiers.parts().uploader.under_way()},
          std::move(options)};
}

// A pass takes hours, and may run beside everything else, another one included: so nothing waits for it.
io::Task<Result<std::string>> Maintenance::scrub(uint64_t bytes_per_s, ScrubState* state,
                                                 http::WorkProgress* progress) {
  CO_TRY(permitted());
  // Little to read, so it is not gone on with: a pass that does is beyond it.
  tier::MetadataReport metadata;
  std::string unanswered;
  if (!state->under_way()) {
    auto checked = co_await running_.shipping()->scrub(
        bytes_per_s, [progress](uint64_t bytes) { progress->bytes = bytes; }, &progress->stop);
    if (checked) metadata = *std::move(checked);
    if (!checked) unanswered = checked.error().to_string();
    for (const tier::MetadataDamage& damage : metadata.damage)
      log::error("scrub: metadata in the coldest tier: {}: {}{}", damage.object, damage.what.to_string(),
                 damage.repaired ? " (repaired)" : "");
  }
  tier::ScrubOptions options;
  options.bytes_per_s = bytes_per_s;
  options.with_file_at_rest = [this](InodeId inode, tier::AtRest then) {
    return running_.volume().at_rest(inode, std::move(then));
  };
  options.progress = [progress](std::string_view, uint64_t bytes) { progress->bytes = bytes; };
  tier::Scrubber scrubber = make_scrubber(std::move(options));
  tier::ScrubReport hot;
  if (!state->hot_done) hot = CO_TRY(co_await scrubber.scrub_hot(&state->cursor, &progress->stop));
  state->hot_done = true;
  tier::ScrubReport cold = CO_TRY(co_await scrubber.scrub_cold(&state->cursor, &progress->stop));
  Paths paths;
  for (const tier::ScrubReport* report : {&hot, &cold})
    for (const tier::ScrubFinding& finding : report->findings)
      if (finding.inode != InodeId()) paths.emplace(finding.inode, "");
  CO_TRY(co_await http::find_paths(running_.volume(), paths));
  for (const tier::ScrubReport* report : {&hot, &cold})
    for (const tier::ScrubFinding& finding : report->findings)
      log::error("scrub: {}: {}: {}{}", finding.tier.empty() ? "local disk" : finding.tier, place_of(finding, paths),
                 finding.what.to_string(), finding.repaired ? " (repaired)" : "");
  json in_bucket = json_of(metadata);
  if (!unanswered.empty()) in_bucket["failure"] = unanswered;
  co_return dump_json({{"hot", json_of(hot, paths)},
                       {"cold", json_of(cold, paths)},
                       {"metadata", in_bucket},
                       {"clean", hot.clean() && cold.clean() && metadata.clean() && unanswered.empty()}});
}

Result<std::optional<http::Work>> Maintenance::work(std::string_view name, const http::Request& request) {
  constexpr uint64_t kMostGraceSeconds = 3'153'600'000;  // a hundred years
  if (name == "gc") {
    Collecting what{.dry_run = TRY(http::flag_parameter(request, "dry_run")), .grace_ns = settings_.tiers.retention_ns};
    if (request.parameter("grace")) {
      const uint64_t grace_s = TRY(http::number_parameter(request, "grace", 0));
      if (grace_s > kMostGraceSeconds) return fail(Code::kInvalid, "\"grace\" must be at most 3153600000 seconds");
      what.grace_ns = static_cast<int64_t>(grace_s) * 1'000'000'000;
    }
    return [this, what](http::WorkProgress& progress) { return collect(what, &progress, &progress.stop); };
  }
  if (name == "scrub") {
    const uint64_t rate = TRY(http::number_parameter(request, "rate", 0));
    return [this, rate](http::WorkProgress& progress) -> io::Task<Result<std::string>> {
      return scrub_all(rate, &progress);
    };
  }
  return std::nullopt;
}

void Maintenance::start() {
  io::detach(collect_now_and_then(gate_.enter()));
  io::detach(repair_damage(gate_.enter()));
  io::detach(make_room_in_tiers(gate_.enter()));
  if (settings_.tiers.scrub_bytes_per_s > 0) io::detach(scrub_now_and_then(gate_.enter()));
}

io::Task<void> Maintenance::scrub_now_and_then(io::Gate::Entry) {
  int64_t rest_ns = kFirstScrubNs;
  while (co_await io::sleep_for(rest_ns, &stopping_)) {
    const Result<ScrubState> state = co_await load_scrub_state(running_.engine());
    const int64_t due_ns = state ? state->due_in_ns(system_clock().now().seconds, kScrubEveryNs) : 0;
    Result<void> done;
    if (due_ns == 0) done = state ? co_await scrub_on() : fail(state.error());
    if (!done && !stopping_.cancelled()) log::warning("scrubbing: {}", done.error().to_string());
    rest_ns = !done ? kCollectEveryNs : due_ns > 0 ? due_ns : kScrubEveryNs;
  }
}

// The daily pass, from where it was.
io::Task<Result<void>> Maintenance::scrub_on() {
  ScrubState state = CO_TRY(co_await load_scrub_state(running_.engine()));
  if (state.under_way()) log::info("scrubbing goes on where it was");
  http::WorkProgress progress;
  io::CancelToken::Scope scope(&stopping_, [&progress] { progress.stop.cancel(); });
  io::CancelToken over;
  io::Gate keeping;
  io::detach(keep_state(&state, &over, keeping.enter()));
  const auto done = co_await scrub(settings_.tiers.scrub_bytes_per_s, &state, &progress);
  over.cancel();
  co_await keeping.close();
  if (done) state = {.ended_seconds = system_clock().now().seconds};
  CO_TRY(co_await save_scrub_state(running_.engine(), state));
  CO_TRY(done);
  co_return Result<void>();
}

io::Task<void> Maintenance::keep_state(const ScrubState* state, io::CancelToken* until, io::Gate::Entry) {
  ScrubState kept = *state;
  while (co_await io::sleep_for(kKeepStateNs, until)) {
    if (kept == *state) continue;
    kept = *state;
    // What is not kept is read again after a restart.
    (void)co_await save_scrub_state(running_.engine(), kept);
  }
}

io::Task<Result<std::string>> Maintenance::scrub_all(uint64_t bytes_per_s, http::WorkProgress* progress) {
  ScrubState from_the_beginning;
  co_return co_await scrub(bytes_per_s, &from_the_beginning, progress);
}

io::Task<Result<void>> Maintenance::repair(tier::RepairQueue::Object object, io::CancelToken* token) {
  CO_TRY(permitted());
  auto lock = co_await busy_.lock();
  tier::Scrubber scrubber = make_scrubber({});
  co_return co_await scrubber.repair_or_rescue(std::move(object.blob), std::move(object.tier), token);
}

io::Task<void> Maintenance::repair_damage(io::Gate::Entry) {
  co_await running_.tiers()->repairs().run(
      [this](tier::RepairQueue::Object object, io::CancelToken* token) { return repair(std::move(object), token); },
      &stopping_);
}

io::Task<void> Maintenance::make_room_in_tiers(io::Gate::Entry) {
  TierLimits& limits = running_.tiers()->limits();
  std::string told;
  while (co_await io::sleep_for(told.empty() ? kMakeRoomEveryNs : kMakeRoomAgainNs, &stopping_)) {
    if (!limits.due() || !permitted().ok()) continue;
    auto lock = co_await busy_.lock();
    const Result<void> done = co_await limits.pass(&stopping_);
    const std::string failure = done || stopping_.cancelled() ? "" : done.error().to_string();
    if (!failure.empty() && failure != told) log::warning("making room in a tier: {}", failure);
    told = failure;
  }
}

io::Task<void> Maintenance::collect_now_and_then(io::Gate::Entry) {
  while (co_await io::sleep_for(kCollectEveryNs, &stopping_)) {
    const auto done = co_await collect({.grace_ns = settings_.tiers.retention_ns}, nullptr, &stopping_);
    if (!done && !stopping_.cancelled()) log::warning("collecting garbage: {}", done.error().to_string());
  }
}

io::Task<void> Maintenance::stop() {
  stopping_.cancel();
  co_await gate_.close();
}

}  // namespace firn::cli
