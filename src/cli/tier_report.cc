#include "cli/tier_report.h"

#include <fmt/format.h>

#include <array>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/redact.h"

namespace firn::cli {

namespace {

using nlohmann::json;

json describe(const TierInfo& tier, const TierLimits::Report& limit) {
  const TierBounds& bounds = limit.bounds;
  json requests = json::object();
  uint64_t put_bytes = 0, got_bytes = 0;
  for (size_t kind = 0; kind < object::kKindNames.size(); ++kind)
    requests[object::kKindNames[kind]] = {{"requests", tier.requests.requests[kind]},
                                          {"failures", tier.requests.failures[kind]},
                                          {"bytes", tier.requests.bytes[kind]}};
  put_bytes = tier.requests.bytes[size_t(object::Kind::kPut)];
  got_bytes = tier.requests.bytes[size_t(object::Kind::kGet)];
  json body = {{"name", tier.name},
               {"url", without_secrets(tier.url)},
               {"store", without_secrets(tier.store)},
               {"failing", tier.health.failing},
               {"full", tier.health.full},
               {"put_bytes", put_bytes},
               {"got_bytes", got_bytes},
               {"requests", requests}};
  if (bounds.max_bytes > 0)
    body.update({{"max_bytes", bounds.max_bytes},
                 {"high_watermark", bounds.high_percent},
                 {"low_watermark", bounds.low_percent}});
  if (limit.known) body.update({{"held_bytes", limit.held_bytes}, {"evicted_bytes", limit.evicted_bytes}});
  if (!tier.health.last_failure.ok()) {
    body["last_failure"] = tier.health.last_failure.to_string();
    body["failed_at"] = tier.health.failed_at.seconds;
  }
  return body;
}

// Why nothing can be evicted.
std::string why_stuck(const std::vector<TierInfo>& tiers, const vfs::TierStatistics& state, Timestamp now) {
  const auto age = [now](Timestamp since) {
    return format_duration(std::max<int64_t>(now.seconds - since.seconds, 0) * 1'000'000'000);
  };
  std::string away;
  for (const TierInfo& tier : tiers)
    if (tier.health.full)
      away += fmt::format("{}tier {} is full", away.empty() ? "" : ", ", tier.name);
    else if (tier.health.failing)
      away += fmt::format("{}tier {} has been unreachable for {}", away.empty() ? "" : ", ", tier.name,
                          age(tier.health.failing_since));
  if (!away.empty() || state.pending_files == 0) return away.empty() ? "what is there is open or mapped" : away;
  return fmt::format("{} files are not in every colder tier yet, the oldest for {}", state.pending_files,
                     age(state.oldest_pending));
}

const char* consequence_of(vfs::RoomState state) {
  return state == vfs::RoomState::kFull ? "writes fail" : "writers are slowed";
}

json describe_room(const std::vector<TierInfo>& tiers, const vfs::TierStatistics& state, Timestamp now) {
  constexpr std::array kNames = {"free", "tight", "slowed", "full"};
  const vfs::RoomReport& room = state.room;
  json body = {{"state", kNames[static_cast<size_t>(room.state)]},
               {"used_bytes", room.use.used},
               {"limit_bytes", room.use.limit},
               {"hard_limit_bytes", room.use.hard},
               {"since_s", state.room_age_ns / 1'000'000'000},
               {"refused", room.refused},
               {"slowed_ms", room.slowed_ns / 1'000'000}};
  if (room.too_large_bytes > 0) body["too_large_bytes"] = room.too_large_bytes;
  if (room.state != vfs::RoomState::kFree) body["why"] = why_stuck(tiers, state, now);
  return body;
}

void row(std::string_view name, const std::string& value) { fmt::print("  {:<12} {}\n", name, value); }

}  // namespace

json describe_tiers(const std::vector<TierInfo>& tiers, const std::vector<TierLimits::Report>& limits,
                    const vfs::TierStatistics& state, Timestamp now, const tier::RepairQueue& repairs, json& reasons) {
  const bool waits = state.pending_files > 0;
  json stores = json::array();
  for (size_t i = 0; i < tiers.size(); ++i) {
    const TierInfo& tier = tiers[i];
    stores.push_back(describe(tier, limits[i]));
    if (tier.health.full && waits)
      reasons.push_back(fmt::format("tier {} is full: puts to it fail for want of room", tier.name));
    else if (tier.health.failing)
      reasons.push_back(fmt::format("tier {}: {}", tier.name, tier.health.last_failure.to_string()));
  }
  const int64_t age_s = waits ? std::max<int64_t>(now.seconds - state.oldest_pending.seconds, 0) : 0;
  if (state.room.state == vfs::RoomState::kSlowed || state.room.state == vfs::RoomState::kFull)
    reasons.push_back(fmt::format("the local disk holds {} of {} and nothing can be evicted: {}; {}",
                                  human_size(state.room.use.used), human_size(state.room.use.limit),
                                  why_stuck(tiers, state, now), consequence_of(state.room.state)));
  if (state.room.too_large_bytes > 0)
    reasons.push_back(fmt::format("a file of {} could not come back to be written: the local disk may hold {}",
                                  human_size(state.room.too_large_bytes), human_size(state.room.most_bytes)));
  if (repairs.damaged_chunks() > 0)
    reasons.push_back(
        fmt::format("{} chunks were found damaged in a tier; {} objects were put right since; see firn.log, "
                    "and run firn scrub",
                    repairs.damaged_chunks(), repairs.repaired_objects()));
  json body = {{"stores", stores},
               {"pending_files", state.pending_files},
               {"pending_bytes", state.pending_bytes},
               {"oldest_pending_s", age_s},
               {"uploading", state.uploading},
               {"upload_held_to_bytes_per_s", state.held_to_bytes_per_s},
               {"uploaded_files", state.uploaded_files},
               {"uploaded_bytes", state.uploaded_bytes},
               {"uploaded_blobs", state.uploaded_blobs},
               {"shared_bytes", state.shared_bytes},
               {"hydrated_bytes", state.hydrated_bytes},
               {"readahead",
                {{"ranges", state.readahead.ranges},
                 {"range_bytes", state.readahead.range_bytes},
                 {"served", state.readahead.served},
                 {"cached_bytes", state.readahead.cached_bytes}}},
               {"evicted_files", state.evicted_files},
               {"evicted_bytes", state.evicted_bytes},
               {"hot_bytes", state.hot_bytes},
               {"hot_limit_bytes", state.hot_limit_bytes},
               {"hot_max_bytes", state.hot_max_bytes},
               {"hot_metadata_bytes", state.metadata_bytes},
               {"hot_high_watermark", state.hot_high_percent},
               {"hot_low_watermark", state.hot_low_percent},
               {"room", describe_room(tiers, state, now)},
               {"damaged_chunks", repairs.damaged_chunks()},
               {"repaired_objects", repairs.repaired_objects()}};
  if (!state.last_failure.ok()) body["upload_failure"] = state.last_failure.to_string();
  return body;
}

void describe_kept(const meta::Usage& usage, json& tiers) {
  tiers["pinned_files"] = usage.pinned_files;
  tiers["pinned_bytes"] = usage.pinned_bytes;
  tiers["local_only_files"] = usage.local_files;
  tiers["local_only_bytes"] = usage.local_bytes;
}

json describe_shipping(const Shipping::Report& report, const Status& permitted, json& reasons) {
  const tier::ShipStatus& status = report.status;
  const int64_t age_ms = status.oldest_pending_ns / 1'000'000;
  if (!permitted.ok())
    reasons.push_back(permitted.to_string());
  else if (!report.attached)
    reasons.push_back("the metadata is not in the coldest tier: " + report.failure.to_string());
  else if (!status.last_failure.ok())
    reasons.push_back("the metadata does not reach the coldest tier: " + status.last_failure.to_string());
  if (report.damaged_objects > report.repaired_objects)
    reasons.push_back(
        fmt::format("{} objects of the metadata in the coldest tier are damaged or gone; see firn.log, "
                    "and run firn scrub again",
                    report.damaged_objects - report.repaired_objects));
  return {{"attached", report.attached},
          {"fenced", !permitted.ok()},
          {"epoch", status.epoch},
          {"root", status.root},
          {"root_seconds", status.root_seconds},
          {"next_log", status.next_log},
          {"readers", status.readers},
          {"pending_commits", status.pending_commits},
          {"pending_bytes", status.pending_bytes},
          {"oldest_pending_ms", age_ms},
          {"waits_for_root", status.waits_for_root},
          {"damaged_objects", report.damaged_objects},
          {"repaired_objects", report.repaired_objects}};
}

namespace {

std::string watermarks_text(const json& from, const char* high, const char* low) {
  return fmt::format("{} to {} %", from.value(high, 0), from.value(low, 0));
}

// Of a tier that has a limit, or has made room.
std::string held_of(const json& store) {
  std::string text;
  if (store.contains("held_bytes")) text = ", holds " + human_size(store.value("held_bytes", uint64_t{0}));
  if (!store.contains("max_bytes")) return text;
  return text + fmt::format("{} at most {} (room is made from {})", text.empty() ? ", may hold" : " of",
                            human_size(store.value("max_bytes", uint64_t{0})),
                            watermarks_text(store, "high_watermark", "low_watermark"));
}

std::string upload_text(const json& tiers) {
  if (!tiers.value("uploading", false)) return "";
  const auto held_to = tiers.value("upload_held_to_bytes_per_s", uint64_t{0});
  if (held_to == 0) return "; uploading";
  return fmt::format("; uploading, at {}/s at most while programs write", human_size(held_to));
}

// Where that counts.
std::string metadata_text(const json& tiers) {
  const auto metadata = tiers.value("hot_metadata_bytes", uint64_t{0}),
             most = tiers.value("hot_max_bytes", uint64_t{0});
  if (metadata == 0) return "";
  return fmt::format("; {} of metadata{}", human_size(metadata),
                     most > 0 ? fmt::format(", of {} in all", human_size(most)) : "");
}

std::string state_of(const json& store) {
  if (store.value("full", false)) return "full: the last put failed for want of room";
  return store.value("failing", false) ? "failing: " + store.value("last_failure", "") : "well";
}

void print_hot(const json& tiers) {
  const uint64_t limit = tiers.value("hot_limit_bytes", uint64_t{0});
  const std::string bound = limit == 0 ? ""
                                       : fmt::format(", of at most {} (room is made from {})", human_size(limit),
                                                     watermarks_text(tiers, "hot_high_watermark", "hot_low_watermark"));
  row("hot", fmt::format("about {} of files{}{}", human_size(tiers.value("hot_bytes", uint64_t{0})), bound,
                         metadata_text(tiers)));
}

}  // namespace

void print_tiers(const json& tiers) {
  const auto number = [&](const char* name) { return tiers.value(name, uint64_t{0}); };
  print_hot(tiers);
  for (const json& store : tiers.value("stores", json::array())) {
    row("tier " + store.value("name", ""),
        fmt::format("{}: {} sent, {} fetched{}; {}", store.value("store", ""),
                    human_size(store.value("put_bytes", uint64_t{0})),
                    human_size(store.value("got_bytes", uint64_t{0})), held_of(store), state_of(store)));
  }
  row("pending", number("pending_files") == 0
                     ? "nothing"
                     : fmt::format("{} files, {}, the oldest for {}{}", number("pending_files"),
                                   human_size(number("pending_bytes")),
                                   format_duration(static_cast<int64_t>(number("oldest_pending_s")) * 1'000'000'000),
                                   upload_text(tiers)));
  if (number("pinned_files") > 0)
    row("pinned",
        fmt::format("{} files, {}, which are not evicted", number("pinned_files"), human_size(number("pinned_bytes"))));
  if (number("local_only_files") > 0)
    row("local only", fmt::format("{} files, {}, which skip every tier: they are on this disk and nowhere else",
                                  number("local_only_files"), human_size(number("local_only_bytes"))));
  if (tiers.contains("metadata")) {
    const json& metadata = tiers["metadata"];
    const uint64_t commits = metadata.value("pending_commits", uint64_t{0});
    row("metadata", !metadata.value("attached", false)        ? "not in the coldest tier yet"
                    : metadata.value("waits_for_root", false) ? "on its way to the coldest tier"
                    : commits == 0
                        ? "in the coldest tier"
                        : fmt::format("{} commits are not in the coldest tier yet, the oldest {} old", commits,
                                      format_duration(metadata.value("oldest_pending_ms", int64_t{0}) * 1'000'000)));
    if (const uint64_t damaged = metadata.value("damaged_objects", uint64_t{0}); damaged > 0)
      row("", fmt::format("{} objects of it were found damaged there, {} were put right", damaged,
                          metadata.value("repaired_objects", uint64_t{0})));
    if (const uint64_t readers = metadata.value("readers", uint64_t{0}); readers > 0)
      row("readers",
          fmt::format("{} read-only mounts elsewhere hold what they read (as of the last gc or root)", readers));
  }
  if (tiers.contains("upload_failure")) row("", "the last upload failed: " + tiers.value("upload_failure", ""));
}

}  // namespace firn::cli
