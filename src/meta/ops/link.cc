#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

Status check_source(const Inode& inode) {
  if (inode.attr.flags & (kFlagImmutable | kFlagAppend)) return Code::kNotPermitted;
  if (inode.is_directory()) return Code::kNotPermitted;
  if (inode.attr.nlink == 0 && !inode.unnamed) return Code::kNotFound;
  return inode.attr.nlink >= kMaxLinks ? Code::kTooManyLinks : Code::kOk;
}

io::Task<Result<Attr>> attempt(Mutation& m, const Credentials& who, InodeId id, InodeId parent, std::string_view name) {
  co_await m.lock({id, parent});
  Inode* directory = CO_TRY(co_await m.parent(parent));
  CO_TRY(check_search(who, *directory));
  CO_TRY(check_name(name));
  if (CO_TRY(co_await m.dirent(parent, name))) co_return fail(Code::kExists);
  CO_TRY(check_add(who, *directory));
  Inode* inode = CO_TRY(co_await m.inode(id));
  CO_TRY(check_source(*inode));
  ++inode->attr.nlink;
  inode->unnamed = false;
  if (inode->name.empty()) inode->name_it(parent, name);
  inode->attr.ctime = m.now();
  m.update(inode);
  m.touch(directory);
  m.put_dirent(parent, name, {id, inode->attr.type});
  // The first name of a file that was made without one makes it.
  const EventKind kind = inode->attr.nlink == 1 ? EventKind::kCreated : EventKind::kLinked;
  m.note({.kind = kind, .inode = inode, .who = &who, .at = {parent, name}});
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<Attr>> LocalService::link(const Credentials& who, InodeId inode, InodeId parent,
                                          std::string_view name) {
  return mutate(*core_, [&who, inode, parent, name](Mutation& m) { return attempt(m, who, inode, parent, name); });
}

}  // namespace firn::meta
