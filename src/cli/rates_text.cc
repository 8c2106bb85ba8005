// How firn stats shows rates.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/rates.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr size_t kMostRows = 20;

json time_or_null(double seconds) { return seconds < 0 ? json() : json(seconds); }

std::string time_text(double seconds) {
  if (seconds < 0) return "-";
  if (seconds < 1e-3) return fmt::format("{:.3g} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.3g} ms", seconds * 1e3);
  return fmt::format("{:.3g} s", seconds);
}

std::string count_text(double per_s) { return fmt::format("{:.{}f}", per_s, per_s < 10 ? 1 : 0); }

std::string bytes_text(double bytes_per_s) {
  return human_size(static_cast<uint64_t>(std::llround(bytes_per_s))) + "/s";
}

std::string percent(double share) { return share < 0 ? "-" : fmt::format("{:.0f} %", share * 100); }

std::string operations_text(const Rates& rates) {
  std::string out =
      fmt::format("{:<5} {:<20} {:>9} {:>8} {:>9} {:>9}\n", "door", "operation", "per s", "errors", "p50", "p99");
  for (size_t i = 0; i < rates.operations.size() && i < kMostRows; ++i) {
    const OperationRate& one = rates.operations[i];
    out += fmt::format("{:<5} {:<20} {:>9} {:>8} {:>9} {:>9}\n", one.door, one.operation, count_text(one.per_s),
                       one.errors_per_s > 0 ? count_text(one.errors_per_s) : "", time_text(one.p50_s),
                       time_text(one.p99_s));
  }
  if (rates.operations.size() > kMostRows) out += fmt::format("and {} more\n", rates.operations.size() - kMostRows);
  if (rates.operations.empty()) out += "nothing was asked\n";
  return out;
}

std::string tiers_text(const Rates& rates) {
  std::string out;
  for (const TierRate& tier : rates.tiers)
    out += fmt::format("tier {:<8} {} sent, {} fetched, {} requests/s, p99 {}{}{}\n", tier.name,
                       bytes_text(tier.sent_bytes_per_s), bytes_text(tier.fetched_bytes_per_s),
                       count_text(tier.requests_per_s), time_text(tier.p99_s),
                       tier.failures_per_s > 0 ? fmt::format(", {} failures/s", count_text(tier.failures_per_s)) : "",
                       tier.up ? "" : "; failing");
  if (rates.has_tiers)
    out += fmt::format("pending       {:.0f} files, {}, the oldest {}; {} came back, {} left the local disk\n",
                       rates.pending_files, human_size(static_cast<uint64_t>(rates.pending_bytes)),
                       format_duration(static_cast<int64_t>(rates.pending_age_s) * 1'000'000'000),
                       bytes_text(rates.hydrated_bytes_per_s), bytes_text(rates.evicted_bytes_per_s));
  return out;
}

}  // namespace

json json_of(const Rates& rates) {
  json operations = json::array(), doors = json::object(), tiers = json::array(), caches = json::object();
  for (const OperationRate& one : rates.operations)
    operations.push_back({{"door", one.door},
                          {"operation", one.operation},
                          {"per_s", one.per_s},
                          {"errors_per_s", one.errors_per_s},
                          {"p50_s", time_or_null(one.p50_s)},
                          {"p99_s", time_or_null(one.p99_s)}});
  for (const DoorRate& door : rates.doors)
    doors[door.door] = {{"read_bytes_per_s", door.read_bytes_per_s}, {"written_bytes_per_s", door.written_bytes_per_s}};
  for (const TierRate& tier : rates.tiers)
    tiers.push_back({{"name", tier.name},
                     {"up", tier.up},
                     {"sent_bytes_per_s", tier.sent_bytes_per_s},
                     {"fetched_bytes_per_s", tier.fetched_bytes_per_s},
                     {"requests_per_s", tier.requests_per_s},
                     {"failures_per_s", tier.failures_per_s},
                     {"p99_s", time_or_null(tier.p99_s)}});
  for (const CacheRate& cache : rates.caches)
    caches[cache.name] = {{"lookups_per_s", cache.lookups_per_s}, {"hit_share", time_or_null(cache.hit_share)}};
  json body = {{"operations", operations},
               {"doors", doors},
               {"kv",
                {{"commits_per_s", rates.commits_per_s},
                 {"conflicts_per_s", rates.conflicts_per_s},
                 {"syncs_per_s", rates.syncs_per_s},
                 {"commit_p99_s", time_or_null(rates.commit_p99_s)},
                 {"sync_p99_s", time_or_null(rates.sync_p99_s)}}},
               {"caches", caches},
               {"reactors", rates.reactors},
               {"queued_jobs", rates.queued_jobs},
               {"open_files", rates.open_files}};
  if (rates.has_tiers)
    body["tiers"] = {{"stores", tiers},
                     {"pending_files", rates.pending_files},
                     {"pending_bytes", rates.pending_bytes},
                     {"pending_age_s", rates.pending_age_s},
                     {"hydrated_bytes_per_s", rates.hydrated_bytes_per_s},
                     {"evicted_bytes_per_s", rates.evicted_bytes_per_s}};
  return body;
}

std::string table_of(const Rates& rates) {
  std::string out = operations_text(rates);
  out += "bytes        ";
  for (const DoorRate& door : rates.doors)
    out += fmt::format(" {}: {} read, {} written{}", door.door, bytes_text(door.read_bytes_per_s),
                       bytes_text(door.written_bytes_per_s), &door == &rates.doors.back() ? "\n" : ";");
  out += fmt::format("kv            {} commits/s (p99 {}), {} conflicts/s, {} syncs/s (p99 {})\n",
                     count_text(rates.commits_per_s), time_text(rates.commit_p99_s), count_text(rates.conflicts_per_s),
                     count_text(rates.syncs_per_s), time_text(rates.sync_p99_s));
  out += "cache hits   ";
  for (const CacheRate& cache : rates.caches)
    out += fmt::format(" {} {}{}{}", cache.name, percent(cache.hit_share),
                       cache.hit_share < 0 ? "" : fmt::format(" of {}/s", count_text(cache.lookups_per_s)),
                       &cache == &rates.caches.back() ? "\n" : ";");
  out += tiers_text(rates);
  out += "reactors     ";
  for (const double busy : rates.reactors) out += " " + percent(busy);
  return out + fmt::format("; {:.0f} jobs queued; {:.0f} open files\n", rates.queued_jobs, rates.open_files);
}

}  // namespace firn::cli
