// The journal of a file in transactions of others. The inode must be locked.
#pragma once

#include "meta/mutation.h"

namespace firn::meta {

// Removes all of it. To be followed by update().
io::Task<Result<void>> erase_journal(Mutation& m, Inode& inode);

// The inline content, which is about to be replaced by a backing, becomes the version that the journal holds.
io::Task<Result<void>> move_inline_to_journal(Mutation& m, Inode& inode);

}  // namespace firn::meta
