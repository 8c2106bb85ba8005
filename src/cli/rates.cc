#include "cli/rates.h"

#include <algorithm>
#include <functional>

namespace firn::cli {
namespace {

// Two looks, and the differences between them.
class Between {
 public:
  Between(const Scrape& before, const Scrape& after, double seconds)
      : before_(before), after_(after), seconds_(seconds) {}

  const Scrape& now() const { return after_; }
  // A daemon that was started again counts from 0.
  double per_s(std::string_view name, Scrape::Match match = {}) const {
    return std::max(after_.sum(name, match) - before_.sum(name, match), 0.0) / seconds_;
  }
  double quantile(const std::string& name, double share, Scrape::Match match = {}) const {
    return after_.buckets(name, match).since(before_.buckets(name, match)).quantile(share);
  }

 private:
  const Scrape& before_;
  const Scrape& after_;
  const double seconds_;
};

struct DoorNames {
  const char* door;
  const char* requests;
  const char* errors;
  const char* latency;
  const char* label;
};
constexpr DoorNames kFuse = {"fuse", "firn_fuse_requests_total", "firn_fuse_errors_total", "firn_fuse_request_seconds",
                             "op"};
constexpr DoorNames kNfs = {"nfs", "firn_nfs_calls_total", "firn_nfs_errors_total", "firn_nfs_call_seconds",
                            "procedure"};

void add_operations(const Between& between, const DoorNames& names, std::vector<OperationRate>& out) {
  for (const std::string& operation : between.now().values(names.requests, names.label)) {
    const double per_s = between.per_s(names.requests, {{names.label, operation}});
    if (per_s <= 0) continue;
    out.push_back({.door = names.door,
                   .operation = operation,
                   .per_s = per_s,
                   .errors_per_s = between.per_s(names.errors, {{names.label, operation}}),
                   .p50_s = between.quantile(names.latency, 0.5, {{names.label, operation}}),
                   .p99_s = between.quantile(names.latency, 0.99, {{names.label, operation}})});
  }
}

void add_http(const Between& between, std::vector<OperationRate>& out) {
  constexpr const char* kRequests = "firn_http_requests_total";
  constexpr const char* kLatency = "firn_http_request_seconds";
  for (const std::string& method : between.now().values(kRequests, "method"))
    for (const std::string& route : between.now().values(kRequests, "route")) {
      const double per_s = between.per_s(kRequests, {{"method", method}, {"route", route}});
      if (per_s <= 0) continue;
      const auto failed = [&](const char* status) {
        return between.per_s(kRequests, {{"method", method}, {"route", route}, {"status", status}});
      };
      out.push_back({.door = "http",
                     .operation = method + " " + route,
                     .per_s = per_s,
                     .errors_per_s = failed("4xx") + failed("5xx"),
                     .p50_s = between.quantile(kLatency, 0.5, {{"method", method}, {"route", route}}),
                     .p99_s = between.quantile(kLatency, 0.99, {{"method", method}, {"route", route}})});
    }
}

std::vector<TierRate> tier_rates(const Between& between) {
  std::vector<TierRate> tiers;
  for (const std::string& name : between.now().values("firn_tier_up", "tier"))
    tiers.push_back(
        {.name = name,
         .up = between.now().sum("firn_tier_up", {{"tier", name}}) > 0,
         .sent_bytes_per_s = between.per_s("firn_object_bytes_total", {{"store", name}, {"kind", "put"}}),
         .fetched_bytes_per_s = between.per_s("firn_object_bytes_total", {{"store", name}, {"kind", "get"}}),
         .requests_per_s = between.per_s("firn_object_requests_total", {{"store", name}}),
         .failures_per_s = between.per_s("firn_object_requests_total", {{"store", name}, {"outcome", "failure"}}),
         .p99_s = between.quantile("firn_object_request_seconds", 0.99, {{"store", name}})});
  return tiers;
}

CacheRate cache_rate(std::string name, double hits_per_s, double misses_per_s) {
  const double lookups = hits_per_s + misses_per_s;
  return {.name = std::move(name), .lookups_per_s = lookups, .hit_share = lookups > 0 ? hits_per_s / lookups : -1};
}

std::vector<CacheRate> cache_rates(const Between& between) {
  std::vector<CacheRate> caches;
  for (const std::string& cache : between.now().values("firn_meta_cache_hits_total", "cache"))
    caches.push_back(cache_rate(cache, between.per_s("firn_meta_cache_hits_total", {{"cache", cache}}),
                                between.per_s("firn_meta_cache_misses_total", {{"cache", cache}})));
  caches.push_back(cache_rate("blocks", between.per_s("firn_kv_block_cache_hits_total"),
                              between.per_s("firn_kv_block_cache_misses_total")));
  return caches;
}

std::vector<double> reactor_rates(const Between& between) {
  constexpr const char* kBusy = "firn_reactor_busy_seconds_total";
  std::vector<std::string> names = between.now().values(kBusy, "reactor");
  std::ranges::sort(names, {}, [](const std::string& name) { return std::stoi("0" + name); });
  std::vector<double> busy;
  for (const std::string& name : names) busy.push_back(std::min(between.per_s(kBusy, {{"reactor", name}}), 1.0));
  return busy;
}

}  // namespace

Rates rates_between(const Scrape& before, const Scrape& after, double seconds) {
  const Between between(before, after, seconds);
  Rates rates;
  add_operations(between, kFuse, rates.operations);
  add_operations(between, kNfs, rates.operations);
  add_http(between, rates.operations);
  std::ranges::sort(rates.operations, std::greater(), &OperationRate::per_s);
  rates.doors = {
      {"fuse", between.per_s("firn_fuse_read_bytes_total"), between.per_s("firn_fuse_written_bytes_total")},
      {"nfs", between.per_s("firn_nfs_read_bytes_total"), between.per_s("firn_nfs_written_bytes_total")},
      {"http", between.per_s("firn_http_sent_bytes_total"), between.per_s("firn_http_received_bytes_total")}};
  rates.commits_per_s = between.per_s("firn_kv_commits_total");
  rates.conflicts_per_s = between.per_s("firn_kv_conflicts_total");
  rates.syncs_per_s = between.per_s("firn_kv_syncs_total");
  rates.commit_p99_s = between.quantile("firn_kv_commit_seconds", 0.99);
  rates.sync_p99_s = between.quantile("firn_kv_sync_seconds", 0.99);
  rates.caches = cache_rates(between);
  rates.reactors = reactor_rates(between);
  rates.queued_jobs = after.sum("firn_pool_queued_jobs");
  rates.open_files = after.sum("firn_vfs_open_files");
  rates.has_tiers = after.has("firn_tier_up");
  rates.tiers = tier_rates(between);
  rates.pending_files = after.sum("firn_tier_pending_files");
  rates.pending_bytes = after.sum("firn_tier_pending_bytes");
  rates.pending_age_s = after.sum("firn_tier_pending_age_seconds");
  rates.hydrated_bytes_per_s = between.per_s("firn_tier_hydrated_bytes_total");
  rates.evicted_bytes_per_s = between.per_s("firn_tier_evicted_bytes_total");
  return rates;
}

}  // namespace firn::cli
