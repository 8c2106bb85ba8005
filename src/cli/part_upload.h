// Uploads of large files that an interrupted `firn put` leaves in part, and the next one goes on with.
#pragma once

#include "cli/upload.h"

namespace firn::cli {

// Files of this size and more are worth it; also what is sent at a time.
inline constexpr uint64_t kPartBytes = 64 << 20;
// An attribute of the part: which version of which local file.
inline constexpr const char* kPartOrigin = "user.upload-of";

// The part's permissions. With others, it is about to be published.
inline constexpr uint32_t kPartMode = 0600;

// Sends the local regular file `fd` in parts to .NAME.firn-part beside its target, which then takes the name; as atomic
// and durable as PUT. False: it has to be put whole, as somebody else is at that part file, or the local file changed
// meanwhile. Has a connection of its own. Blocks.
Result<bool> upload_in_parts(Transfers& transfers, const Upload& upload, int fd);

}  // namespace firn::cli
