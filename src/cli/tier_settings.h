// The settings of colder tiers: [tiers] and [s3] of firn.toml.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"
#include "tier/blob/format.h"

namespace firn::cli {

// What the kernel of a mount whose volume another daemon may take over remembers, beyond the lease.
inline constexpr uint64_t kKernelRemembersS = 1;

// [tier.NAME]: what holds for one tier alone.
struct OwnTierSettings {
  static constexpr int64_t kAsCommon = -1;

  std::string name;
  std::string where;            // "FILE:LINE", for messages
  uint64_t capacity_bytes = 0;  // 0: hot_max, or what limits says
  int64_t high_watermark_percent = kAsCommon;
  int64_t low_watermark_percent = kAsCommon;
};

// What of it is in force: tier_bounds.h.
struct TierSettings {
  std::vector<std::string> stores;  // NAME=URL, nearest first; empty: those that the volume was made with
  std::string compression = "zstd";
  bool dedup = false;
  std::string durability = "local";
  bool encrypt = false;
  std::string key_file;

  int64_t flush_interval_ns = 30'000'000'000;
  int64_t live_interval_ns = 600'000'000'000;
  uint64_t flush_bytes = 64 << 20;
  uint64_t hot_max_bytes = 0;
  uint64_t hot_hard_max_bytes = 0;
  int64_t high_watermark_percent = 85;
  int64_t low_watermark_percent = 70;
  std::vector<std::string> limits;  // NAME=SIZE
  std::vector<OwnTierSettings> own;
  int64_t evict_recency_percent = 100;
  int64_t evict_frequency_percent = 100;

  uint64_t put_bytes_per_s = 0;
  uint64_t get_bytes_per_s = 0;
  uint64_t busy_put_bytes_per_s = 32 << 20;
  int64_t requests_in_flight = 64;
  int64_t blobs_in_flight = 4;
  int64_t chunks_in_flight = 8;
  uint64_t readahead_bytes = 64 << 20;

  int64_t retention_ns = int64_t{24} * 3600 * 1'000'000'000;
  uint64_t scrub_bytes_per_s = 0;
  int64_t follow_interval_ns = 2'000'000'000;
  int64_t lease_ns = 5'000'000'000;
};

// What is empty comes from the environment and the AWS tools' shared files.
struct S3Settings {
  std::string region;
  std::string endpoint;
  std::string path_style = "auto";
  std::string ca_file;
  std::string profile;
};

void append_schema(TierSettings& settings, config::Schema& schema);
void append_schema(S3Settings& settings, config::Schema& schema);

// Rules that no single setting can break. `chunk_bytes`: data.chunk_size, or what the volume was made with.
Status check(const TierSettings& settings, uint64_t chunk_bytes);

tier::Codec codec_of(const TierSettings& settings);

}  // namespace firn::cli
