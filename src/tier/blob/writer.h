// Makes one blob.
#pragma once

#include <optional>
#include <vector>

#include "object/content.h"
#include "tier/blob/format.h"
#include "tier/blob/sealing.h"

namespace firn::tier {

// Where a frame is in its blob, and its blocks are in the frame: all that a chunk's record needs to say.
struct FrameRef {
  uint64_t offset = 0;
  uint32_t bytes = 0;           // header included
  uint64_t plain_checksum = 0;  // XXH3 of the chunk, also of a sealed one
  std::string blocks;           // an encoded BlockMap; empty when there is no more than one
};

// Not thread-safe; does no I/O, but compresses: keep it off the reactor for large chunks.
class BlobWriter {
 public:
  // `volume_key`: the blob is sealed. `id` must never have been used before with that key. `block_bytes`: a power of
  // two within the format's limits.
  BlobWriter(BlobId id, Codec codec, std::optional<Key> volume_key, uint32_t block_bytes = kBlockBytes);

  // Whether a chunk of `plain_bytes` fits, however badly it compresses.
  bool has_room_for(uint64_t plain_bytes) const;
  // Compresses and seals; zeros are compressed whatever `codec` is, for a sparse file may have any number of them. What
  // it holds in memory is what the blob will have, and little more. kInvalid: no room, or larger than a frame may be.
  Result<FrameRef> append(FrameId id, std::string_view plain);

  const BlobId& id() const { return id_; }
  uint32_t frame_count() const { return static_cast<uint32_t>(index_.size()); }
  // Of the blob if it were finished now.
  uint64_t bytes() const;
  // The whole blob. The writer is empty afterwards and must not be used again.
  object::Content finish();

 private:
  struct Entry {
    uint64_t offset;
    FrameHeader header;
  };

  // All so far.
  uint64_t written_bytes() const { return content_.bytes() + small_frames_.size(); }
  void add(std::string frame);
  void add_small_frames();

  const BlobId id_;
  const Codec codec_;
  const uint32_t block_bytes_;
  const std::optional<Key> key_;  // of this blob
  object::Content content_;
  std::string small_frames_;  // those since what content_ has
  std::vector<Entry> index_;
};

}  // namespace firn::tier
