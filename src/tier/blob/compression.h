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
// The same of a block, into `to`, which has room for as much as `plain` has: the bytes written, or 0 when it is to be
// stored.
size_t compress_into(std::string_view plain, Codec wanted, char* to);
// False unless `stored`, compressed with `codec`, is exactly `plain_bytes` bytes.
bool decompress_into(std::string_view stored, Codec codec, char* to, size_t plain_bytes);
// Exactly `plain_bytes` (at most kMaxFramePlainBytes) of output, else kCorrupt.
Result<std::string> decompress(std::string_view stored, Codec codec, size_t plain_bytes);

}  // namespace firn::tier
