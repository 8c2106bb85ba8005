#include "tier/recorded_chunk.h"

#include "tier/blob/frame.h"

namespace firn::tier {

FrameId frame_id(InodeId inode, const meta::Chunk& chunk) {
  const meta::FrameOrigin origin = meta::origin_of(inode, chunk);
  return {origin.inode, origin.chunk, origin.version};
}

std::optional<Key> key_of_blob(const meta::Chunk& chunk, const std::optional<Key>& volume_key) {
  return volume_key ? std::optional(blob_key(*volume_key, blob_id_of_name(chunk.blob))) : std::nullopt;
}

Result<io::PageBytes> open_recorded(std::string_view frame, InodeId inode, const meta::Chunk& chunk,
                                    const std::optional<Key>& volume_key) {
  OpenedFrame opened = TRY(open_whole(frame, frame_id(inode, chunk), key_of_blob(chunk, volume_key)));
  if (opened.plain.size() != chunk.bytes || opened.checksum != chunk.checksum)
    return fail(Code::kCorrupt, "the chunk is another than its record says");
  return std::move(opened.plain);
}

}  // namespace firn::tier
