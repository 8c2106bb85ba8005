// What a daemon did between two looks at its metrics: what firn stats shows.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/scrape.h"

namespace firn::cli {

struct OperationRate {
  std::string door;  // "fuse", "http", "nfs"
  std::string operation;
  double per_s = 0;
  double errors_per_s = 0;
  double p50_s = -1, p99_s = -1;  // negative: not measured
};

struct DoorRate {
  std::string door;
  double read_bytes_per_s = 0, written_bytes_per_s = 0;
};

struct TierRate {
  std::string name;
  bool up = true;
  double sent_bytes_per_s = 0, fetched_bytes_per_s = 0;
  double requests_per_s = 0, failures_per_s = 0;
  double p99_s = -1;
};

struct CacheRate {
  std::string name;
  double lookups_per_s = 0;
  double hit_share = -1;  // negative: nobody asked
};

struct Rates {
  std::vector<OperationRate> operations;  // those that happened, most frequent first
  std::vector<DoorRate> doors;
  double commits_per_s = 0, conflicts_per_s = 0, syncs_per_s = 0;
  double commit_p99_s = -1, sync_p99_s = -1;
  std::vector<CacheRate> caches;
  std::vector<double> reactors;  // how busy each was, 0 to 1
  double queued_jobs = 0;
  double open_files = 0;
  bool has_tiers = false;
  std::vector<TierRate> tiers;
  double pending_files = 0, pending_bytes = 0, pending_age_s = 0;
  double hydrated_bytes_per_s = 0, evicted_bytes_per_s = 0;
};

Rates rates_between(const Scrape& before, const Scrape& after, double seconds);

// The members of a line of firn stats --json.
nlohmann::json json_of(const Rates& rates);
// For people: several lines.
std::string table_of(const Rates& rates);

}  // namespace firn::cli
