// Who may do what: POSIX.1-2017 2.3 and 4.5, with Linux's precedence of errors (fs/namei.c, fs/attr.c as its manual
// pages describe them). Checks that the door's kernel made already (Credentials::kernel_checked) are skipped here;
// immutable and append-only flags are always enforced, because the kernel does not know firn's.
#pragma once

#include <string_view>

#include "base/status.h"
#include "meta/inode.h"

namespace firn::meta {

// Mode bits beyond rwx.
inline constexpr uint32_t kSetUid = 04000;
inline constexpr uint32_t kSetGid = 02000;
inline constexpr uint32_t kSticky = 01000;
inline constexpr uint32_t kGroupExecute = 00010;

// Does `who` have all of `mask` (R_OK | W_OK | X_OK) on the inode? Ignores kernel_checked.
bool permits(const Credentials& who, const Inode& inode, int mask);
// kAccessDenied without it; kNotPermitted for writing to an immutable inode.
Status check_access(const Credentials& who, const Inode& inode, int mask);

// 1 to 255 bytes: kNameTooLong, kNotFound for an empty one.
Status check_name(std::string_view name);
// May look up names: kNotDirectory, kAccessDenied.
Status check_search(const Credentials& who, const Inode& directory);
// May add a name: the directory still exists (kNotFound), is writable and not immutable.
Status check_add(const Credentials& who, const Inode& directory);
// May take away the name of `victim` (`as_directory`: by rmdir, or to make place for a directory): write permission,
// sticky rule, flags, then kNotDirectory or kIsDirectory.
Status check_remove(const Credentials& who, const Inode& directory, const Inode& victim, bool as_directory);

// The mode after a write, truncate or chown has taken the set-id bits away.
uint32_t without_set_ids(uint32_t mode);
// The mode after setgid is dropped for someone who is neither privileged nor in `group`.
uint32_t setgid_if_allowed(const Credentials& who, uint32_t mode, uint32_t group);

}  // namespace firn::meta
