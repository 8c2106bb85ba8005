#include "io/reactor.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/chunks.h"
#include "meta/ops/journal.h"
#include "meta/ops/remove.h"

namespace firn::meta {

namespace {

io::Task<Result<std::optional<Attr>>> attempt(Mutation& m, InodeId id) {
  co_await m.lock({id});
  const Result<Inode*> found = co_await m.inode(id);
  if (!found && found.error().code() == Code::kStale) co_return std::nullopt;
  Inode* inode = CO_TRY(Result<Inode*>(found));
  if (inode->attr.nlink != 0) co_return std::nullopt;
  if (inode->attr.content.generation > 0) {
    const bool all = CO_TRY(co_await erase_chunks(m, id, ChunkIndex()));
    m.transaction().erase(pending_key(id));
    if (!all) {
      CO_TRY(co_await m.commit());
      co_return fail(Code::kWouldBlock);
    }
  }
  CO_TRY(co_await erase_journal(m, *inode));
  CO_TRY(co_await erase_records(m, inode));
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<std::optional<Attr>>> LocalService::reclaim(InodeId inode) {
  for (;;) {
    Result<std::optional<Attr>> done = co_await mutate(*core_, [inode](Mutation& m) { return attempt(m, inode); });
    // So many chunks that they took more than one transaction.
    if (done || done.error().code() != Code::kWouldBlock) co_return done;
    co_await io::yield();
  }
}

}  // namespace firn::meta
