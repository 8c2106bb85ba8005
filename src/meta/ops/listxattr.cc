#include "meta/acl.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/ops/xattr_rules.h"

namespace firn::meta {

io::Task<Result<std::vector<std::string>>> LocalService::listxattr(const Credentials& who, InodeId inode) {
  std::vector<std::string> names;
  const Inode found = CO_TRY(co_await core_->read_inode(inode));
  if (found.attr.xattr_count == 0) co_return names;
  if (!found.access_acl().empty()) names.emplace_back(kAccessAclName);
  if (!found.default_acl().empty()) names.emplace_back(kDefaultAclName);
  const auto transaction = core_->engine.begin();
  const auto pairs = CO_TRY(
      co_await transaction->scan(names_after(Prefix::kXattr, inode, {}), kMaxXattrs + 1, kv::Isolation::kSnapshot));
  for (const kv::Pair& pair : pairs) {
    const std::string_view name = CO_TRY(name_of_key(pair.key));
    if (is_listed(who, name)) names.emplace_back(name);
  }
  co_return names;
}

}  // namespace firn::meta
