// Which extended attributes exist, and who may see or change them (xattr(7)). Private to meta.
#pragma once

#include <string_view>

#include "meta/inode.h"
#include "meta/mutation.h"

namespace firn::meta {

// All of one inode's names and values together, and how many there may be: so that removing an inode fits in one
// transaction, and listxattr in the 64 KiB that the kernel takes.
inline constexpr uint32_t kMaxXattrTotalBytes = 1 << 20;
inline constexpr uint32_t kMaxXattrs = 255;

enum class XattrUse : uint8_t { kRead, kWrite };

bool is_acl_name(std::string_view name);
// kRange, kInvalid, kNotSupported (no such namespace).
Status check_xattr_name(std::string_view name);
// May `who` read or write an attribute of this name on this inode? Expects a valid name.
Status check_xattr_use(const Credentials& who, const Inode& inode, std::string_view name, XattrUse use);
// Whether listxattr shows the name to `who`.
bool is_listed(const Credentials& who, std::string_view name);

// Sets one of the two lists; an empty `value` or one without entries removes it. Checks the owner's right and the
// inode's type; the access list also sets the mode. The inode is locked, and updated by the caller.
Status set_acl(const Credentials& who, Inode& inode, std::string_view name, std::string_view value);

}  // namespace firn::meta
