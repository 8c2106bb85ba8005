// Whether a blob, as a whole, is what was put: without its key, and without decompressing anything.
#pragma once

#include <string_view>

#include "base/status.h"
#include "tier/blob/blob_id.h"

namespace firn::tier {

// Header, index, and the stored bytes of every frame against their checksums. kCorrupt, saying what is wrong.
Status verify_stored(std::string_view blob, const BlobId& id);

}  // namespace firn::tier
