// Between meta::Attr and the kernel's structures.
#pragma once

#include "fuse/door.h"
#include "fuse/protocol.h"
#include "meta/types.h"

namespace firn::fuse {

// S_IFMT bits of a type; and the d_type of a dirent.
uint32_t mode_bits(meta::FileType type);
uint32_t dirent_type(meta::FileType type);

fuse_attr wire_attr(const meta::Attr& attr);
fuse_entry_out wire_entry(const Door::Options& options, const meta::Attr& attr);
fuse_attr_out wire_attr_out(const Door::Options& options, const meta::Attr& attr);
StatxOut wire_statx(const Door::Options& options, const meta::Attr& attr);

// The kernel's encoding of device numbers in 32 bits, and dev_t as the volume keeps it.
uint32_t wire_rdev(uint64_t rdev);
uint64_t rdev_of_wire(uint32_t rdev);

}  // namespace firn::fuse
