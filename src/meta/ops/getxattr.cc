#include "meta/acl.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/ops/xattr_rules.h"

namespace firn::meta {

io::Task<Result<std::string>> LocalService::getxattr(const Credentials& who, InodeId inode, std::string_view name) {
  CO_TRY(check_xattr_name(name));
  const Inode found = CO_TRY(co_await core_->read_inode(inode));
  CO_TRY(check_xattr_use(who, found, name, XattrUse::kRead));
  if (found.attr.xattr_count == 0) co_return fail(Code::kNoAttribute);
  if (is_acl_name(name)) {
    const std::string& list = name == kAccessAclName ? found.access_acl() : found.default_acl();
    if (list.empty()) co_return fail(Code::kNoAttribute);
    co_return list;
  }
  const auto transaction = core_->engine.begin();
  auto value = CO_TRY(co_await transaction->get(xattr_key(inode, name), kv::Isolation::kSnapshot));
  if (!value) co_return fail(Code::kNoAttribute);
  co_return *std::move(value);
}

}  // namespace firn::meta
