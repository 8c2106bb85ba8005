// What a write, a truncate or a chown takes from a program besides its set-id bits. Private to meta.
#pragma once

#include "meta/mutation.h"

namespace firn::meta {

// Removes the "security.capability" xattr, if there is one. The inode is locked and to be updated by the caller.
io::Task<Result<void>> drop_capabilities(Mutation& m, Inode& inode);

}  // namespace firn::meta
