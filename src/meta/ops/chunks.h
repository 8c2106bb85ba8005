// What several operations do to a file's chunk records. The inode must be locked.
#pragma once

#include <optional>
#include <vector>

#include "meta/mutation.h"
#include "meta/tiering.h"

namespace firn::meta {

// Most chunk records that one transaction removes.
inline constexpr size_t kChunksPerTransaction = 1024;

// Removes chunk records from `first` on, up to kChunksPerTransaction of them, and what they add to their blobs. True:
// none is left.
io::Task<Result<bool>> erase_chunks(Mutation& m, InodeId inode, ChunkIndex first);

// Replaces, or with nullopt removes, the record of a chunk whose former record, if there was one, is `former`. The
// counters of their blobs follow.
void put_chunk(Mutation& m, InodeId inode, ChunkIndex index, const std::optional<Chunk>& former,
               const std::optional<Chunk>& chunk);

// From now on the frame of `chunk`, of a file that may be another's equal, is found by this hash. Empty: nothing.
void put_content(Mutation& m, InodeId inode, const Chunk& chunk, std::string_view hash);

// kStale unless chunks may come to refer to these blobs. That stays so until the commit, or it conflicts.
io::Task<Result<void>> expect_blobs(Mutation& m, const std::vector<Chunk>& chunks);

// Whether a file that has changed is to be pending: tiers are to have it, or one has a former version that is to go.
io::Task<Result<bool>> concerns_tiers(Mutation& m, const Inode& inode);

// Colder tiers may lack something of the file from now on. To be followed by update().
io::Task<Result<void>> mark_pending(Mutation& m, Inode& inode);

}  // namespace firn::meta
