#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/ops/xattr_rules.h"

namespace firn::meta {

namespace {

struct Request {
  const Credentials& who;
  InodeId inode;
  std::string_view name;
  std::string_view value;
  XattrMode mode;
};

io::Task<Result<void>> store(Mutation& m, const Request& r, Inode* inode) {
  const Key key = xattr_key(r.inode, r.name);
  const auto old = CO_TRY(co_await m.transaction().get(key, m.isolation()));
  if (old && r.mode == XattrMode::kCreate) co_return fail(Code::kExists);
  if (!old && r.mode == XattrMode::kReplace) co_return fail(Code::kNoAttribute);
  const uint64_t had = old ? r.name.size() + old->size() : 0;
  const uint64_t total =
      inode->xattr_bytes - std::min<uint64_t>(had, inode->xattr_bytes) + r.name.size() + r.value.size();
  if (total > kMaxXattrTotalBytes || (!old && inode->attr.xattr_count >= kMaxXattrs)) co_return fail(Code::kNoSpace);
  if (!old) ++inode->attr.xattr_count;
  inode->xattr_bytes = uint32_t(total);
  m.transaction().put(key, r.value);
  co_return {};
}

io::Task<Result<void>> attempt(Mutation& m, const Request& r) {
  co_await m.lock({r.inode});
  Inode* inode = CO_TRY(co_await m.inode(r.inode));
  CO_TRY(check_xattr_use(r.who, *inode, r.name, XattrUse::kWrite));
  if (is_acl_name(r.name)) {
    CO_TRY(set_acl(r.who, *inode, r.name, r.value));
  } else {
    CO_TRY(co_await store(m, r, inode));
  }
  inode->attr.ctime = m.now();
  m.update(inode);
  m.note({.kind = EventKind::kXattr, .inode = inode, .who = &r.who, .xattr = r.name});
  co_return co_await m.commit();
}

}  // namespace

io::Task<Result<void>> LocalService::setxattr(const Credentials& who, InodeId inode, std::string_view name,
                                              std::string_view value, XattrMode mode) {
  CO_TRY(check_xattr_name(name));
  if (value.size() > kMaxXattrValueBytes) co_return fail(Code::kArgumentTooBig);
  const Request request{who, inode, name, value, mode};
  co_return co_await mutate(*core_, [&request](Mutation& m) { return attempt(m, request); });
}

}  // namespace firn::meta
