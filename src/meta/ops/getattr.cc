#include "meta/core.h"
#include "meta/local_service.h"

namespace firn::meta {

io::Task<Result<Attr>> LocalService::getattr(InodeId inode) {
  if (const auto cached = core_->inodes.find(inode)) co_return cached->attr;
  const Inode found = CO_TRY(co_await core_->read_inode(inode));
  co_return found.attr;
}

}  // namespace firn::meta
