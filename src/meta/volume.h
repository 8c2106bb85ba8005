// The volume record, a new volume's first records, and the sessions that tell a crash from a power cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "io/task.h"
#include "kv/kv.h"

namespace firn::meta {

// Readers refuse a newer one; fields may be added to records without raising it when older readers may ignore them.
inline constexpr uint32_t kFormatVersion = 2;
// Of a volume without colder tiers. One that has them may hold evicted files, which a reader of version 1 takes for
// holes.
inline constexpr uint32_t kPlainFormatVersion = 1;

// A colder tier as the volume knows it. Its position is its bit in the records of blobs, so the names and their order
// are for ever; a place may move.
struct TierPlace {
  std::string name;
  std::string url;
  friend bool operator==(const TierPlace&, const TierPlace&) = default;
};

struct VolumeSettings {
  uint32_t format_version = kPlainFormatVersion;
  std::string id;  // 16 random bytes
  uint64_t chunk_bytes = 4 << 20;
  uint64_t inline_max_bytes = 0;
  Timestamp created;
  std::string name;              // of the folder it was made in, for people
  std::vector<TierPlace> tiers;  // nearest first
  std::string compression;       // as it was made; firn.toml may say otherwise since
  bool dedup = false;            // likewise
  std::string durability;
  std::string wrapped_key;  // as tier/key_wrap.h encodes it; empty: not encrypted
  friend bool operator==(const VolumeSettings&, const VolumeSettings&) = default;
};

// The bytes of a VolumeRecord.
std::string encode_volume(const VolumeSettings& settings);
// kCorrupt; kNotSupported: made by a newer firn.
Result<VolumeSettings> decode_volume(std::string_view bytes);

struct RootOwner {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mode = 0755;
};

// Writes the volume record, the root directory and the counters in one transaction, durably.
// kExists when the engine holds a volume already, kNotEmpty when it holds anything else.
io::Task<Result<void>> format(kv::Engine& engine, VolumeSettings settings, RootOwner root);

// kNotFound: nothing was ever formatted here. kNotSupported: made by a newer firn. kCorrupt: half initialised, or
// the record is damaged. The message says which, and what to do.
io::Task<Result<VolumeSettings>> load_volume(kv::Engine& engine);

// Replaces the volume record, durably: for a new wrapped key. The volume must be in nobody's use.
io::Task<Result<void>> save_volume(kv::Engine& engine, VolumeSettings settings);

struct Session {
  uint64_t number = 0;  // the same for every run within one boot of the machine
  bool clean = true;    // the run before ended by end_session()
};

// To be called once, before the service is used. `boot_id`: what the kernel calls this boot.
io::Task<Result<Session>> begin_session(kv::Engine& engine, std::string boot_id);
// Whether the last run ended by end_session(), without beginning one.
io::Task<Result<bool>> was_clean(kv::Engine& engine);
// Marks a clean end, durably. Nothing may be written afterwards.
io::Task<Result<void>> end_session(kv::Engine& engine);

}  // namespace firn::meta
