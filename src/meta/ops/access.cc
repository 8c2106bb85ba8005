#include "meta/core.h"
#include "meta/local_service.h"
#include "meta/permissions.h"

namespace firn::meta {

io::Task<Result<void>> LocalService::access(const Credentials& who, InodeId inode, int mask) {
  const Inode found = CO_TRY(co_await core_->read_inode(inode));
  CO_TRY(check_access(who, found, mask));
  co_return {};
}

}  // namespace firn::meta
