#include "tier/recorded_chunk.h"

#include "base/checksum.h"
#include "tier/blob/frame.h"

namespace firn::tier {

Result<std::string> open_recorded(std::string_view frame, InodeId inode, const meta::Chunk& chunk,
                                  const std::optional<Key>& volume_key) {
  std::optional<Key> key;
  if (volume_key) key = blob_key(*volume_key, blob_id_of_name(chunk.blob));
  std::string plain = TRY(open_frame(frame, {inode, chunk.index, chunk.version}, key));
  if (plain.size() != chunk.bytes || checksum64(plain) != chunk.checksum)
    return fail(Code::kCorrupt, "the chunk is another than its record says");
  return plain;
}

}  // namespace firn::tier
