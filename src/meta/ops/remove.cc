#include "meta/ops/remove.h"

#include "meta/keys.h"
#include "meta/ops/xattr_rules.h"
#include "meta/permissions.h"

namespace firn::meta {

io::Task<Result<FoundEntry>> find_entry(Mutation& m, const Credentials& who, InodeId parent, std::string_view name) {
  InodeList to_lock{parent};
  for (;;) {
    co_await m.lock(to_lock);
    Inode* directory = CO_TRY(co_await m.parent(parent));
    CO_TRY(check_search(who, *directory));
    CO_TRY(check_name(name));
    const auto found = CO_TRY(co_await m.dirent(parent, name));
    if (!found) co_return fail(Code::kNotFound);
    if (m.try_lock(found->inode)) {
      Result<Inode*> victim = co_await m.inode(found->inode);
      if (!victim && victim.error().code() == Code::kStale)
        co_return fail(Code::kCorrupt,
                       "a directory entry names the missing inode " + std::to_string(found->inode.value));
      co_return FoundEntry{directory, CO_TRY(std::move(victim))};
    }
    m.restart();
    to_lock = {parent, found->inode};
  }
}

io::Task<Result<void>> erase_records(Mutation& m, Inode* inode) {
  const InodeId id = inode->attr.inode;
  if (inode->has_inline) m.transaction().erase(inline_key(id));
  if (inode->attr.xattr_count != 0) {
    // At most kMaxXattrs of them, so that one transaction holds all.
    const kv::Range range = names_after(Prefix::kXattr, id, {});
    const auto pairs = CO_TRY(co_await m.transaction().scan(range, kMaxXattrs + 1, m.isolation()));
    for (const kv::Pair& pair : pairs) m.transaction().erase(pair.key);
  }
  m.erase(inode);
  co_return {};
}

io::Task<Result<void>> check_empty(Mutation& m, const Inode& directory) {
  if (directory.attr.nlink > 2) co_return fail(Code::kNotEmpty);
  const auto some =
      CO_TRY(co_await m.transaction().scan(names_after(Prefix::kDirent, directory.attr.inode, {}), 1, m.isolation()));
  if (!some.empty()) co_return fail(Code::kNotEmpty);
  co_return {};
}

}  // namespace firn::meta
