#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/remove.h"

namespace firn::meta {

namespace {

io::Task<Result<std::optional<Attr>>> attempt(Mutation& m, InodeId id) {
  co_await m.lock({id});
  const Result<Inode*> found = co_await m.inode(id);
  if (!found && found.error().code() == Code::kStale) co_return std::nullopt;
  Inode* inode = CO_TRY(Result<Inode*>(found));
  if (inode->attr.nlink != 0) co_return std::nullopt;
  CO_TRY(co_await erase_records(m, inode));
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<std::optional<Attr>>> LocalService::reclaim(InodeId inode) {
  return mutate(*core_, [inode](Mutation& m) { return attempt(m, inode); });
}

}  // namespace firn::meta
