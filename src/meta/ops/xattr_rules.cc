#include "meta/ops/xattr_rules.h"

#include <unistd.h>

#include "meta/acl.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

constexpr std::string_view kUser = "user.";
constexpr std::string_view kTrusted = "trusted.";
constexpr std::string_view kSecurity = "security.";

Status check_user_namespace(const Credentials& who, const Inode& inode, XattrUse use) {
  const bool writes = use == XattrUse::kWrite;
  if (inode.attr.type != FileType::kRegular && !inode.is_directory())
    return writes ? Code::kNotPermitted : Code::kNoAttribute;
  if (who.kernel_checked) return {};
  const bool shared = inode.is_directory() && (inode.attr.mode & kSticky);
  if (writes && shared && !who.privileged() && who.uid != inode.attr.uid) return Code::kNotPermitted;
  return permits(who, inode, writes ? W_OK : R_OK) ? Code::kOk : Code::kAccessDenied;
}

void set_list(Inode& inode, std::string Extras::* field, std::string value) {
  const auto& lists = inode.extras;
  const bool had = lists && !((*lists).*field).empty();
  const bool has = !value.empty();
  if (has && !had) ++inode.attr.xattr_count;
  if (had && !has) --inode.attr.xattr_count;
  if (has || had) inode.set_extra(field, std::move(value));
}

}  // namespace

bool is_acl_name(std::string_view name) { return name == kAccessAclName || name == kDefaultAclName; }

Status check_xattr_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxXattrNameBytes) return Code::kRange;
  if (is_acl_name(name)) return {};
  for (std::string_view space : {kUser, kTrusted, kSecurity}) {
    if (!name.starts_with(space)) continue;
    return name.size() == space.size() ? Code::kInvalid : Code::kOk;
  }
  return Code::kNotSupported;
}

Status check_xattr_use(const Credentials& who, const Inode& inode, std::string_view name, XattrUse use) {
  const bool writes = use == XattrUse::kWrite;
  if (writes && (inode.attr.flags & (kFlagImmutable | kFlagAppend))) return Code::kNotPermitted;
  if (name.starts_with(kUser)) return check_user_namespace(who, inode, use);
  if (who.privileged() || is_acl_name(name)) return {};
  if (name.starts_with(kTrusted)) return writes ? Code::kNotPermitted : Code::kNoAttribute;
  // security.*: anyone may read. A checking kernel's security modules have decided about writes.
  return writes && !who.kernel_checked ? Code::kNotPermitted : Code::kOk;
}

bool is_listed(const Credentials& who, std::string_view name) {
  return who.privileged() || !name.starts_with(kTrusted);
}

Status set_acl(const Credentials& who, Inode& inode, std::string_view name, std::string_view value) {
  if (inode.attr.type == FileType::kSymlink) return Code::kNotSupported;
  const bool owner = who.privileged() || who.uid == inode.attr.uid;
  if (!owner && !who.kernel_checked) return Code::kNotPermitted;
  const Acl acl = value.empty() ? Acl{} : TRY(parse_acl(value));
  if (name == kDefaultAclName) {
    if (!inode.is_directory()) return acl.empty() ? Code::kOk : Code::kAccessDenied;
    set_list(inode, &Extras::default_acl, acl.empty() ? std::string() : encode_acl(acl));
    return {};
  }
  if (!acl.empty()) {
    inode.attr.mode = setgid_if_allowed(who, (inode.attr.mode & ~0777u) | acl_mode(acl), inode.attr.gid);
  }
  set_list(inode, &Extras::access_acl, acl_is_mode(acl) ? std::string() : encode_acl(acl));
  return {};
}

}  // namespace firn::meta
