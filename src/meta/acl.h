// POSIX access control lists (POSIX.1e draft 17, as Linux has them; see acl(5)). Stored and exchanged in the kernel's
// xattr representation, version 2: a 4-byte header, then 8 bytes per entry, little-endian.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "meta/types.h"

namespace firn::meta {

inline constexpr std::string_view kAccessAclName = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAclName = "system.posix_acl_default";

enum class AclTag : uint16_t {
  kUserObj = 0x01,
  kUser = 0x02,
  kGroupObj = 0x04,
  kGroup = 0x08,
  kMask = 0x10,
  kOther = 0x20,
};

struct AclEntry {
  AclTag tag = AclTag::kOther;
  uint16_t permissions = 0;  // R_OK | W_OK | X_OK
  uint32_t id = 0xFFFFFFFF;  // kUser and kGroup
  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

using Acl = std::vector<AclEntry>;

// An empty Acl for a bare header (the kernel's "remove it"). kNotSupported: another version. kInvalid: malformed,
// out of order, an entry missing or double, or named entries without a mask.
Result<Acl> parse_acl(std::string_view bytes);
std::string encode_acl(const Acl& acl);

// Does the list grant all of `mask` to `who`, on a file of `owner` and `group`? Privilege is the caller's business.
bool acl_permits(const Acl& acl, const Credentials& who, uint32_t owner, uint32_t group, int mask);

// The permission bits (0777) that stat shows for the list.
uint32_t acl_mode(const Acl& acl);
// Whether the list says no more than those bits, and need not be stored.
bool acl_is_mode(const Acl& acl);
// chmod: the list with the bits of `mode`; the group bits go to the mask where there is one.
void acl_chmod(Acl& acl, uint32_t mode);
// A new file below a directory with this default list: narrows the list and the requested `mode` by each other.
void acl_inherit(Acl& acl, uint32_t& mode);

}  // namespace firn::meta
