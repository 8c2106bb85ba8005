// The bytes of a blob: header, frames, index, footer. docs/formats/blob.md is the grammar; blob_test.cc holds golden
// bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "tier/blob/blob_id.h"

namespace firn::tier {

inline constexpr uint16_t kBlobVersion = 1;
inline constexpr size_t kBlobHeaderBytes = 48;
inline constexpr size_t kFrameHeaderBytes = 64;
inline constexpr size_t kIndexEntryBytes = 8 + kFrameHeaderBytes;
inline constexpr size_t kBlobFooterBytes = 40;
// Limits; what exceeds them is kInvalid to write and kCorrupt to read.
inline constexpr uint64_t kMaxBlobBytes = 64 << 20;
inline constexpr uint32_t kMaxFramePlainBytes = 16 << 20;
inline constexpr uint32_t kMaxFrames = 1 << 18;
// Of the plain bytes of a block, but a frame's last: a power of two between the two. What writers take says kBlockBytes
// (docs/decisions/0008), and kStoredBlockBytes where nothing of the chunk becomes smaller.
inline constexpr uint32_t kMinBlockBytes = 1 << 9;
inline constexpr uint32_t kMaxBlockBytes = 1 << 24;
inline constexpr uint32_t kBlockBytes = 64 << 10;
inline constexpr uint32_t kStoredBlockBytes = 4 << 10;

// How a frame's blocks are stored, but for those that did not become smaller, which are stored as they are.
enum class Codec : uint8_t { kStored = 0, kLz4 = 1, kZstd = 2 };

// Which bytes a frame holds: a version of a chunk of a file. Authenticated with them.
struct FrameId {
  InodeId inode;
  ChunkIndex chunk;
  uint64_t version = 0;
  friend bool operator==(const FrameId&, const FrameId&) = default;
};

struct BlobHeader {
  BlobId id;
  bool sealed = false;  // frames are encrypted
};

struct FrameHeader {
  FrameId id;
  Codec codec = Codec::kStored;
  bool sealed = false;
  uint32_t block_bytes = kBlockBytes;
  uint32_t number = 0;          // of the frame in its blob, from 0
  uint32_t plain_bytes = 0;     // of the chunk
  uint32_t stored_bytes = 0;    // all that follows the header
  uint64_t plain_checksum = 0;  // XXH3 of the chunk; 0 in a sealed frame, where it would tell about the content
  uint64_t table_checksum = 0;  // of what is between the header and the first block
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

struct BlobFooter {
  uint64_t index_offset = 0;
  uint32_t frame_count = 0;
  uint64_t index_checksum = 0;
};

// Encoders append. Decoders look at exactly as many bytes as the structure has, and answer kCorrupt, saying what is
// wrong, to anything that an encoder would not have written; a version above ours is kNotSupported.
void encode(const BlobHeader& header, std::string& to);
void encode(const FrameHeader& header, std::string& to);
void encode(const BlobFooter& footer, std::string& to);
Result<BlobHeader> decode_blob_header(std::string_view bytes);
Result<FrameHeader> decode_frame_header(std::string_view bytes);
Result<BlobFooter> decode_blob_footer(std::string_view bytes);

}  // namespace firn::tier
