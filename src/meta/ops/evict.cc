#include "meta/local_service.h"
#include "meta/mutation.h"

namespace firn::meta {

namespace {

io::Task<Result<Attr>> attempt(Mutation& m, InodeId id, bool evicted, int64_t access_level) {
  co_await m.lock({id});
  Inode* inode = CO_TRY(co_await m.inode(id));
  Content& content = inode->attr.content;
  const bool uploaded = content.settled && content.generation > 0 && content.uploaded_generation == content.generation;
  if (evicted && (!uploaded || content.live || inode->attr.policy.stays_hot())) co_return fail(Code::kBusy);
  if (content.evicted == evicted) co_return inode->attr;
  content.evicted = evicted;
  if (evicted) content.access_level = access_level;
  m.update(inode);
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<Attr>> LocalService::mark_evicted(InodeId inode, int64_t access_level) {
  return mutate(*core_, [inode, access_level](Mutation& m) { return attempt(m, inode, true, access_level); });
}

io::Task<Result<Attr>> LocalService::mark_resident(InodeId inode) {
  return mutate(*core_, [inode](Mutation& m) { return attempt(m, inode, false, 0); });
}

}  // namespace firn::meta
