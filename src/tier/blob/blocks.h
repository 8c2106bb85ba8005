// The blocks of a frame: pieces of a chunk that are compressed, sealed and checked each on its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tier/blob/format.h"
#include "tier/blob/sealing.h"

namespace firn::tier {

inline constexpr size_t kTableEntryBytes = sizeof(uint32_t);
inline constexpr size_t kBlockChecksumBytes = sizeof(uint64_t);
inline constexpr size_t kSealedChecksumBytes = sizeof(uint64_t) + kTagBytes;

// Bytes of a frame from its header's begin, or of a chunk from its own.
struct Extent {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// Blocks of one frame.
struct BlockRange {
  uint32_t first = 0;
  uint32_t count = 0;
};

// Where a frame's blocks are, and what else of its header one must know to read some of them. The frame itself says it
// to who reads all of it; a chunk's record keeps it for who does not.
//
// Invariants: a block whose `stored_bytes` are its plain bytes is stored as it is, any other is smaller, and
// compressed. There are as many as plain_bytes need.
struct BlockMap {
  Codec codec = Codec::kStored;
  bool sealed = false;
  uint32_t block_bytes = kBlockBytes;
  uint32_t number = 0;       // of the frame
  uint32_t plain_bytes = 0;  // of the chunk
  std::vector<uint32_t> stored_bytes;

  uint32_t plain_bytes_of(uint32_t block) const;
  // In the frame, seal and checksum included.
  uint32_t bytes_of(uint32_t block) const;
  // Where all of the blocks are in the frame.
  Extent place_of(BlockRange blocks) const;
  // The fewest blocks that hold `plain`, which must not be empty nor reach past the chunk's end; and what they hold.
  BlockRange covering(Extent plain) const;
  Extent plain_of(BlockRange blocks) const;
  uint64_t frame_bytes() const;
  // No block is compressed.
  bool is_stored() const;
};

// ceil(plain_bytes / block_bytes)
uint32_t block_count(uint32_t plain_bytes, uint32_t block_bytes);
// Of a frame, header included, however badly it compresses.
uint64_t max_frame_bytes(uint64_t plain_bytes, uint32_t block_bytes);

// As chunk records keep it; empty where it would be of no use, because the frame has one block or none.
std::string encode(const BlockMap& map);
// `plain_bytes` and `sealed` stand in the record, and are known of the volume. kCorrupt: not what encode() made for
// them; empty, too.
Result<BlockMap> decode_block_map(std::string_view bytes, uint32_t plain_bytes, bool sealed);

// The header's fields that say which bytes the frame holds and how, encoded as a header without its sizes and the
// table's checksum.
std::string identity_of(FrameHeader header);

// What binds blocks to their frame: seals and checksums. Not thread-safe.
class BlockGuard {
 public:
  // `plain_checksum` is the chunk's, also where `header` must not show it. `key` is the blob's; needed exactly when the
  // frame is sealed, and only to seal and unseal.
  BlockGuard(const FrameHeader& header, uint64_t plain_checksum, const std::optional<Key>& key);

  // Of a block's stored bytes, tag included.
  uint64_t checksum(uint32_t block, std::string_view stored) const;
  void seal(uint32_t block, std::string_view stored, char* to);
  Result<void> unseal(uint32_t block, std::string_view sealed, char* to);

 private:
  std::string associated(uint32_t block) const;

  const uint32_t number_;
  const uint64_t plain_checksum_;
  const std::string identity_;
  std::optional<Sealer> sealer_;
};

// The chunk's checksum in a sealed frame; bound to the frame's header and table, as those are read before it.
std::string seal_checksum(uint64_t plain_checksum, const FrameHeader& header, std::string_view table, const Key& key);
Result<uint64_t> unseal_checksum(std::string_view sealed, const FrameHeader& header, std::string_view table,
                                 const Key& key);

}  // namespace firn::tier
