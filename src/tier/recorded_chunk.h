// A chunk out of the bytes that a tier has where its record says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/page_bytes.h"
#include "meta/tiering.h"
#include "tier/blob/format.h"
#include "tier/blob/sealing.h"

namespace firn::tier {

// As what the chunk's frame was made: its own identity, unless it shares an equal chunk's frame.
FrameId frame_id(InodeId inode, const meta::Chunk& chunk);

// The key of the blob that the chunk is in; none where the volume has none.
std::optional<Key> key_of_blob(const meta::Chunk& chunk, const std::optional<Key>& volume_key);

// `frame`: what a tier has at the record's place. kCorrupt unless everything, the record's own checksum included, fits.
Result<io::PageBytes> open_recorded(std::string_view frame, InodeId inode, const meta::Chunk& chunk,
                                    const std::optional<Key>& volume_key);

}  // namespace firn::tier
