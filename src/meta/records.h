// Stored records to and from what the service works with (proto/meta.proto).
#pragma once

#include <string_view>

#include "base/status.h"
#include "meta/inode.h"

namespace firn::meta {

// Encoders return a view that is valid until the next call of the same encoder on this thread.
// Decoders accept any bytes; what no firn wrote is kCorrupt, with a message that names the inode.
std::string_view encode_inode(const Inode& inode);
Result<Inode> decode_inode(InodeId id, std::string_view bytes);
// What a record means where its backing is not: a settled file is what was last uploaded of it, another one is its
// inline value. `hot_id`: of the folder of backings that is here. `lost_is_empty`: what was never uploaded whole has no
// bytes, instead of bytes that cannot be read.
void forget_foreign_backing(Inode& inode, uint64_t hot_id, bool lost_is_empty = false);

std::string_view encode_dirent(const Dirent& dirent);
Result<Dirent> decode_dirent(std::string_view bytes);

}  // namespace firn::meta
