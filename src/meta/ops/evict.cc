#include "meta/local_service.h"
#include "meta/mutation.h"

namespace firn::meta {

namespace {

io::Task<Result<Attr>> attempt(Mutation& m, InodeId id, bool evicted) {
  co_await m.lock({id});
  Inode* inode = CO_TRY(co_await m.inode(id));
  Content& content = inode->attr.content;
  const bool uploaded = content.settled && content.generation > 0 && content.uploaded_generation == content.generation;
  if (evicted && (!uploaded || content.live || inode->attr.policy.stays_hot())) co_return fail(Code::kBusy);
  if (content.evicted == evicted) co_return inode->attr;
  content.evicted = evicted;
  m.update(inode);
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<Attr>> LocalService::mark_evicted(InodeId inode) {
  return mutate(*core_, [inode](Mutation& m) { return attempt(m, inode, true); });
}

io::Task<Result<Attr>> LocalService::mark_resident(InodeId inode) {
  return mutate(*core_, [inode](Mutation& m) { return attempt(m, inode, false); });
}

}  // namespace firn::meta
