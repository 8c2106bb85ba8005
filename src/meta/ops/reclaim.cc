#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/xattr_rules.h"

namespace firn::meta {

namespace {

// At most kMaxXattrs of them, so that one transaction holds all of a reclaim.
io::Task<Result<void>> erase_xattrs(Mutation& m, InodeId id) {
  const kv::Range range = names_after(Prefix::kXattr, id, {});
  const auto pairs = CO_TRY(co_await m.transaction().scan(range, kMaxXattrs + 1, m.isolation()));
  for (const kv::Pair& pair : pairs) m.transaction().erase(pair.key);
  co_return {};
}

io::Task<Result<std::optional<Attr>>> attempt(Mutation& m, InodeId id) {
  co_await m.lock({id});
  const Result<Inode*> found = co_await m.inode(id);
  if (!found && found.error().code() == Code::kStale) co_return std::nullopt;
  Inode* inode = CO_TRY(Result<Inode*>(found));
  if (inode->attr.nlink != 0) co_return std::nullopt;
  if (inode->has_inline) m.transaction().erase(inline_key(id));
  if (inode->attr.xattr_count != 0) CO_TRY(co_await erase_xattrs(m, id));
  m.erase(inode);
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<std::optional<Attr>>> LocalService::reclaim(InodeId inode) {
  return mutate(*core_, [inode](Mutation& m) { return attempt(m, inode); });
}

}  // namespace firn::meta
