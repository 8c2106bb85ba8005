#include <algorithm>

#include "meta/local_service.h"
#include "meta/mutation.h"

namespace firn::meta {

namespace {

io::Task<Result<void>> attempt(Mutation& m, std::span<const Access> accesses) {
  InodeList locked{};
  std::ranges::transform(accesses, locked.begin(), &Access::inode);
  co_await m.lock(locked);
  bool changed = false;
  for (const Access& access : accesses) {
    const Result<Inode*> inode = co_await m.inode(access.inode);
    if (!inode && inode.error().code() == Code::kStale) continue;  // removed since
    if (!inode) co_return fail(inode.error());
    if ((*inode)->attr.atime >= access.time) continue;
    (*inode)->attr.atime = access.time;
    m.update(*inode);
    changed = true;
  }
  if (!changed) co_return Result<void>();
  co_return co_await m.commit();
}

}  // namespace

io::Task<Result<void>> LocalService::record_accesses(std::span<const Access> accesses) {
  while (!accesses.empty()) {
    const std::span<const Access> some = accesses.first(std::min(accesses.size(), InodeList().size()));
    CO_TRY(co_await mutate(*core_, [some](Mutation& m) { return attempt(m, some); }));
    accesses = accesses.subspan(some.size());
  }
  co_return Result<void>();
}

}  // namespace firn::meta
