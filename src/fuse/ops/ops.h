// The operations: one function per opcode, in a file per group. Each maps a request to calls of vfs::Volume and the
// result to a reply. `door` and `exchange` outlive the operation.
#pragma once

#include "fuse/door.h"
#include "fuse/exchange.h"
#include "fuse/operation.h"

namespace firn::fuse::ops {

// names.cc
Operation lookup(Door& door, Exchange& exchange);
Operation make_special(Door& door, Exchange& exchange);  // MKNOD
Operation make_directory(Door& door, Exchange& exchange);
Operation make_symlink(Door& door, Exchange& exchange);
Operation link(Door& door, Exchange& exchange);
Operation unlink(Door& door, Exchange& exchange);
Operation remove_directory(Door& door, Exchange& exchange);
Operation rename(Door& door, Exchange& exchange);  // RENAME and RENAME2
Operation readlink(Door& door, Exchange& exchange);

// forget.cc
Operation forget(Door& door, Exchange& exchange);
Operation batch_forget(Door& door, Exchange& exchange);

// attributes.cc
Operation getattr(Door& door, Exchange& exchange);
Operation setattr(Door& door, Exchange& exchange);
Operation statx(Door& door, Exchange& exchange);
Operation access(Door& door, Exchange& exchange);

// open.cc
Operation open(Door& door, Exchange& exchange);
Operation create(Door& door, Exchange& exchange);
Operation create_unnamed(Door& door, Exchange& exchange);
Operation release(Door& door, Exchange& exchange);

// files.cc
Operation read(Door& door, Exchange& exchange);
Operation write(Door& door, Exchange& exchange);
Operation fsync(Door& door, Exchange& exchange);
Operation allocate(Door& door, Exchange& exchange);
Operation seek(Door& door, Exchange& exchange);
Operation copy_range(Door& door, Exchange& exchange);  // COPY_FILE_RANGE and its 64-bit form

// directories.cc
Operation open_directory(Door& door, Exchange& exchange);
Operation release_directory(Door& door, Exchange& exchange);
Operation list(Door& door, Exchange& exchange);
Operation list_plus(Door& door, Exchange& exchange);
Operation fsync_directory(Door& door, Exchange& exchange);

// xattrs.cc
Operation getxattr(Door& door, Exchange& exchange);
Operation setxattr(Door& door, Exchange& exchange);
Operation listxattr(Door& door, Exchange& exchange);
Operation removexattr(Door& door, Exchange& exchange);

// misc.cc
Operation statfs(Door& door, Exchange& exchange);
Operation sync_filesystem(Door& door, Exchange& exchange);
Operation ioctl(Door& door, Exchange& exchange);
Operation destroy(Door& door, Exchange& exchange);
Operation interrupt(Door& door, Exchange& exchange);
Operation unsupported(Door& door, Exchange& exchange);

// reserved.cc
Operation reserved(Door& door, Exchange& exchange);

inline InodeId inode_of(const Exchange& exchange) { return InodeId(exchange.header().nodeid); }

}  // namespace firn::fuse::ops
