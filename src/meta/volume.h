// The volume record, a new volume's first records, and the sessions that tell a crash from a power cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "io/task.h"
#include "kv/kv.h"

namespace firn::meta {

// Readers refuse a newer one; fields may be added to records without raising it when older readers may ignore them.
inline constexpr uint32_t kFormatVersion = 1;

struct VolumeSettings {
  uint32_t format_version = kFormatVersion;
  std::string id;  // 16 random bytes
  uint64_t chunk_bytes = 4 << 20;
  uint64_t inline_max_bytes = 0;
  Timestamp created;
};

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
