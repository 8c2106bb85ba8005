// Frames as they are written and read: whole, or some blocks of them by ranged GETs; and the index of a blob.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/page_bytes.h"
#include "tier/blob/blocks.h"
#include "tier/blob/format.h"
#include "tier/blob/sealing.h"

namespace firn::tier {

struct MadeFrame {
  FrameHeader header;
  std::string bytes;  // header first
  BlockMap map;
  uint64_t plain_checksum = 0;  // also of a sealed one
};

// A frame of `plain`, at most kMaxFramePlainBytes. Of `what`, id, codec, block_bytes and number are
// taken; a chunk of several blocks of which none becomes smaller is stored, in blocks of kStoredBlockBytes. `key` is
// the blob's; the frame is sealed when there is one, and (key, number) must then never have been used before.
MadeFrame make_frame(FrameHeader what, std::string_view plain, const std::optional<Key>& key);

// The chunk that `bytes` (a whole frame, header first) holds. Everything is verified: header, that it is the frame
// `expected`, stored bytes, seals, chunk. kCorrupt otherwise. `key` is the blob's; needed exactly when it is sealed.
Result<io::PageBytes> open_frame(std::string_view bytes, const FrameId& expected, const std::optional<Key>& key);
// The same, and the chunk's checksum, which was computed anyway.
struct OpenedFrame {
  io::PageBytes plain;
  uint64_t checksum = 0;
};
Result<OpenedFrame> open_whole(std::string_view bytes, const FrameId& expected, const std::optional<Key>& key);

// Some blocks of a frame, as its chunk's record knows them.
struct SomeBlocks {
  FrameId id;
  uint64_t plain_checksum = 0;  // of the whole chunk
  BlockRange blocks;
};
// What these blocks hold (map.plain_of), from the bytes at map.place_of. A block is verified to be that block of a
// frame of that chunk with that checksum; kCorrupt otherwise.
Result<io::PageBytes> open_blocks(std::string_view bytes, const SomeBlocks& which, const BlockMap& map,
                                  const std::optional<Key>& key);

// Header, table, and all blocks against their checksums, without a key, and without decompressing anything. kCorrupt.
Result<FrameHeader> verify_stored_frame(std::string_view bytes);

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
