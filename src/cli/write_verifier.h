// The write verifier of NFS (RFC 1813, 3.3.7) between two runs: clients send again what was not committed where it
// differs, so it stays the same after an end that lost nothing, and after no other.
//
//   1. `nfs.verifier` is in the volume's folder only while nobody serves the volume, and all that was answered with it
//      is on the disk.
//   2. It is gone, durably, before anything is answered.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"
#include "base/status.h"

namespace firn::cli {

// What the last run left behind, which is gone then; where it left nothing, or not as it should be, a new one. Blocks.
Result<uint64_t> take_write_verifier(const std::string& folder, Random& random);
// After the volume was closed without a failure. Blocks.
Status keep_write_verifier(const std::string& folder, uint64_t verifier);

}  // namespace firn::cli
