// The settings of a volume, firn.toml: one table in settings.cc says what each is, its range and its default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/config.h"
#include "cli/event_settings.h"
#include "cli/http_settings.h"
#include "cli/nfs_settings.h"
#include "cli/tier_settings.h"

namespace firn::cli {

struct Settings {
  std::string log_level = "info";
  std::string log_format = "text";
  uint64_t log_rotate_bytes = 16 << 20;
  int64_t log_rotated_files = 3;

  uint64_t inline_max_bytes = 16 << 10;
  int64_t scratch_min_files = 256;
  int64_t scratch_max_files = 4096;
  int64_t recent_files = 1024;
  uint64_t chunk_bytes = 4 << 20;
  int64_t part_lifetime_ns = 168LL * 3600 * 1'000'000'000;  // 0: for ever

  uint64_t block_cache_bytes = 256 << 20;
  uint64_t memtable_bytes = 64 << 20;
  int64_t inode_cache_entries = 128 << 10;
  int64_t dirent_cache_entries = 128 << 10;

  int64_t sync_interval_ns = 1'000'000'000;
  int64_t handover_interval_ns = 5'000'000;

  int64_t reactor_threads = 0;
  int64_t blocking_threads = 8;
  int64_t spin_us = 20;

  std::string fuse_transport = "auto";
  bool fuse_passthrough = true;

  HttpSettings http;
  EventSettings events;
  NfsSettings nfs;
  TierSettings tiers;
  S3Settings s3;
};

config::Schema schema_of(Settings& settings);

// Of the text of firn.toml; kInvalid where it, or its settings together, make no sense. `file` is for messages.
Result<Settings> parse_settings(std::string_view text, const std::string& file);
// The same of the file.
Result<Settings> load_settings(const std::string& file);

// What `firn init` writes.
std::string render_settings(Settings settings);

}  // namespace firn::cli
