#include "meta/permissions.h"

#include <unistd.h>

#include "meta/acl.h"

namespace firn::meta {

namespace {

bool privileged_permits(const Inode& inode, int mask) {
  return !(mask & X_OK) || inode.is_directory() || (inode.attr.mode & 0111);
}

bool mode_permits(const Credentials& who, const Attr& attr, int mask) {
  const unsigned shift = who.uid == attr.uid ? 6 : who.in_group(attr.gid) ? 3 : 0;
  const auto wanted = uint32_t(mask);
  return ((attr.mode >> shift) & wanted) == wanted;
}

}  // namespace

bool permits(const Credentials& who, const Inode& inode, int mask) {
  if (who.privileged()) return privileged_permits(inode, mask);
  if (inode.access_acl().empty()) return mode_permits(who, inode.attr, mask);
  const Result<Acl> acl = parse_acl(inode.access_acl());
  return acl && acl_permits(*acl, who, inode.attr.uid, inode.attr.gid, mask);
}

Status check_access(const Credentials& who, const Inode& inode, int mask) {
  if ((mask & W_OK) && (inode.attr.flags & kFlagImmutable)) return Code::kNotPermitted;
  if (who.kernel_checked || permits(who, inode, mask)) return {};
  return Code::kAccessDenied;
}

Status check_name(std::string_view name) {
  if (name.empty()) return Code::kNotFound;
  return name.size() > kMaxNameBytes ? Code::kNameTooLong : Code::kOk;
}

Status check_search(const Credentials& who, const Inode& directory) {
  if (!directory.is_directory()) return Code::kNotDirectory;
  return check_access(who, directory, X_OK);
}

Status check_add(const Credentials& who, const Inode& directory) {
  if (directory.attr.nlink == 0) return Code::kNotFound;
  return check_access(who, directory, W_OK | X_OK);
}

Status check_remove(const Credentials& who, const Inode& directory, const Inode& victim, bool as_directory) {
  TRY(check_access(who, directory, W_OK | X_OK));
  constexpr uint32_t kFixed = kFlagImmutable | kFlagAppend;
  if ((directory.attr.flags & kFlagAppend) || (victim.attr.flags & kFixed)) return Code::kNotPermitted;
  const bool sticky_denies = (directory.attr.mode & kSticky) && !who.privileged() && who.uid != victim.attr.uid &&
                             who.uid != directory.attr.uid;
  if (sticky_denies && !who.kernel_checked) return Code::kNotPermitted;
  if (as_directory && !victim.is_directory()) return Code::kNotDirectory;
  if (!as_directory && victim.is_directory()) return Code::kIsDirectory;
  return {};
}

uint32_t without_set_ids(uint32_t mode) {
  mode &= ~kSetUid;
  if (mode & kGroupExecute) mode &= ~kSetGid;
  return mode;
}

uint32_t setgid_if_allowed(const Credentials& who, uint32_t mode, uint32_t group) {
  // Supplementary groups may be unknown at a door whose kernel has made this check.
  if (who.kernel_checked || who.privileged() || who.in_group(group)) return mode;
  return mode & ~kSetGid;
}

}  // namespace firn::meta
