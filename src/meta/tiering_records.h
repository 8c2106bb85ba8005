// The stored records of tiering (proto/meta.proto).
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "kv/kv.h"
#include "meta/tiering.h"

namespace firn::meta {

// Decoders accept any bytes; what no firn wrote is kCorrupt. Keys hold the inode, the index and the name.
std::string encode_chunk(const Chunk& chunk);
Result<Chunk> decode_chunk(ChunkIndex index, std::string_view bytes);
// Where the frame of some content is: its origin is set, index and version are not.
std::string encode_content(const Chunk& frame);
Result<Chunk> decode_content(std::string_view bytes);
// The record with its key; the message names the inode.
Result<FileChunk> decode_file_chunk(const kv::Pair& stored);
std::string encode_pending(const Pending& pending);
Result<Pending> decode_pending(InodeId inode, std::string_view bytes);
std::string encode_blob(const Blob& blob);
Result<Blob> decode_blob(std::string_view name, std::string_view bytes);

}  // namespace firn::meta
