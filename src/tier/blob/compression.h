// Compression of chunks.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "tier/blob/format.h"

namespace firn::tier {

struct Compressed {
  Codec codec;        // kStored when `bytes` would not have been at least a 32nd smaller
  std::string bytes;  // empty for kStored: the plain bytes are to be taken
};

Compressed compress(std::string_view plain, Codec wanted);
// Exactly `plain_bytes` (at most kMaxFramePlainBytes) of output, else kCorrupt.
Result<std::string> decompress(std::string_view stored, Codec codec, size_t plain_bytes);

}  // namespace firn::tier
