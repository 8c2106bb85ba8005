#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/ops/xattr_rules.h"

namespace firn::meta {

namespace {

io::Task<Result<void>> remove_stored(Mutation& m, Inode* inode, std::string_view name) {
  const Key key = xattr_key(inode->attr.inode, name);
  const auto old = CO_TRY(co_await m.transaction().get(key, m.isolation()));
  if (!old) co_return fail(Code::kNoAttribute);
  m.transaction().erase(key);
  if (inode->attr.xattr_count > 0) --inode->attr.xattr_count;
  inode->xattr_bytes -= std::min(inode->xattr_bytes, uint32_t(name.size() + old->size()));
  co_return {};
}

io::Task<Result<void>> attempt(Mutation& m, const Credentials& who, InodeId id, std::string_view name) {
  co_await m.lock({id});
  Inode* inode = CO_TRY(co_await m.inode(id));
  CO_TRY(check_xattr_use(who, *inode, name, XattrUse::kWrite));
  if (is_acl_name(name)) {
    CO_TRY(set_acl(who, *inode, name, {}));
  } else {
    CO_TRY(co_await remove_stored(m, inode, name));
  }
  inode->attr.ctime = m.now();
  m.update(inode);
  m.note({.kind = EventKind::kXattr, .inode = inode, .who = &who, .xattr = name});
  co_return co_await m.commit();
}

}  // namespace

io::Task<Result<void>> LocalService::removexattr(const Credentials& who, InodeId inode, std::string_view name) {
  CO_TRY(check_xattr_name(name));
  co_return co_await mutate(*core_, [&who, inode, name](Mutation& m) { return attempt(m, who, inode, name); });
}

}  // namespace firn::meta
