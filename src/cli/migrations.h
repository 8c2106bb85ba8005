// Migrations into a running volume: what a command asks for, in whichever process the volume is open.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/running_volume.h"
#include "cli/settings.h"
#include "http/long_work.h"
#include "io/sync.h"
#include "migrate/migration.h"

namespace firn::cli {

struct MigrationRequest {
  std::vector<migrate::SourceRoot> sources;
  std::string into = "/";
  migrate::Mode mode = migrate::Mode::kCopy;
  migrate::OnConflict on_conflict = migrate::OnConflict::kFail;
  bool one_file_system = false;
  bool count_first = false;
  bool find_equal = true;
  std::vector<std::string> include, exclude;
  std::string report;  // absolute; empty: none
};

// What it reads.
std::vector<std::string> on_conflict_rules();
std::optional<migrate::OnConflict> parse_on_conflict(std::string_view text);
// "/v1/admin/migrate?…", and back. kInvalid.
std::string route_of(const MigrationRequest& request);
Result<MigrationRequest> migration_of(const http::Request& request);

// One at a time; thread-safe. `running` outlives it.
class Migrations {
 public:
  Migrations(RunningVolume& running, VolumePaths paths, const Settings& settings);

  // The outcome as a JSON object: migrate::json_of(Tally), and "stopped", "failure", "excerpt". kBusy: another is
  // running.
  io::Task<Result<std::string>> run(MigrationRequest request, migrate::Progress& progress);
  // The same as work of a daemon. kInvalid: the request makes no sense.
  Result<http::Work> work(const http::Request& request);

 private:
  io::Task<Result<std::string>> run_shown(MigrationRequest request, http::WorkProgress& shown);
  // Blocks.
  Result<migrate::Options> options_of(const MigrationRequest& request) const;

  RunningVolume& running_;
  const VolumePaths paths_;
  const uint64_t inline_max_bytes_;
  std::vector<std::string> tier_folders_;
  std::atomic<bool> busy_ = false;
  std::unique_ptr<io::BlockingPool> pool_;  // made by the first
};

}  // namespace firn::cli
