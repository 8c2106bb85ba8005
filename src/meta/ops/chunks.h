// What several operations do to a file's chunk records. The inode must be locked.
#pragma once

#include "meta/mutation.h"

namespace firn::meta {

// Most chunk records that one transaction removes.
inline constexpr size_t kChunksPerTransaction = 1024;

// Removes chunk records from `first` on, up to kChunksPerTransaction of them, and what they add to their blobs. True:
// none is left.
io::Task<Result<bool>> erase_chunks(Mutation& m, InodeId inode, ChunkIndex first);

}  // namespace firn::meta
