// Frames as they are read: one by one by ranged GETs, or all of a blob by its index.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tier/blob/format.h"
#include "tier/blob/sealing.h"

namespace firn::tier {

// What is encrypted of a frame: the checksum of the chunk, then its (compressed) bytes. The header up to plain_bytes is
// authenticated with them; `key` is the blob's, which stands for the blob's id.
std::string seal_frame(std::string_view stored, uint64_t plain_checksum, const FrameHeader& header, const Key& key);

// The chunk that `bytes` (a whole frame, header first) holds. Everything is verified: header, that it is the frame
// `expected`, stored bytes, seal, chunk. kCorrupt otherwise. `key` is the blob's; needed exactly when it is sealed.
Result<std::string> open_frame(std::string_view bytes, const FrameId& expected, const std::optional<Key>& key);

struct IndexEntry {
  uint64_t offset = 0;
  FrameHeader header;
};

// The index of a blob from `bytes`, which end with the blob (its last kBlobFooterBytes and as much before as there is).
// nullopt: `bytes` do not reach back to the index's begin, which `index_offset` then tells.
struct BlobTail {
  uint64_t index_offset = 0;
  std::optional<std::vector<IndexEntry>> index;
};
Result<BlobTail> read_tail(std::string_view bytes, uint64_t blob_bytes);

}  // namespace firn::tier
