#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/chunks.h"

namespace firn::meta {

namespace {

Status check(const Credentials& who, const Attr& attr) {
  if (!may_have_policy(attr.type) || (attr.flags & (kFlagImmutable | kFlagAppend))) return Code::kNotPermitted;
  return who.privileged() || who.uid == attr.uid ? Code::kOk : Code::kNotPermitted;
}

// What a settled file's being pending follows from has changed.
io::Task<Result<void>> follow(Mutation& m, Inode& inode, uint32_t skipped_before) {
  const Content& content = inode.attr.content;
  // A new generation, or an upload that is under way would say that all is where it is to be.
  if ((skipped_before & ~inode.attr.policy.skip) != 0) co_return co_await mark_pending(m, inode);
  const bool pending = content.generation != content.uploaded_generation;
  if (pending && !CO_TRY(co_await concerns_tiers(m, inode))) m.transaction().erase(pending_key(inode.attr.inode));
  co_return Result<void>();
}

io::Task<Result<Attr>> attempt(Mutation& m, const Credentials& who, InodeId id, PolicyChange change) {
  co_await m.lock({id});
  Inode* inode = CO_TRY(co_await m.inode(id));
  Attr& attr = inode->attr;
  CO_TRY(check(who, attr));
  const Policy before = attr.policy;
  attr.policy = {.skip = change.skip.value_or(before.skip), .pinned = change.pinned.value_or(before.pinned)};
  if (attr.policy == before) co_return attr;
  if (m.core().options.tiered && attr.content.settled) CO_TRY(co_await follow(m, *inode, before.skip));
  attr.ctime = m.now();
  m.update(inode);
  m.note({.kind = EventKind::kPolicy, .inode = inode, .who = &who});
  CO_TRY(co_await m.commit());
  co_return attr;
}

}  // namespace

io::Task<Result<Attr>> LocalService::set_policy(const Credentials& who, InodeId inode, PolicyChange change) {
  co_return co_await mutate(*core_, [&who, inode, change](Mutation& m) { return attempt(m, who, inode, change); });
}

}  // namespace firn::meta
