#include "meta/core.h"
#include "meta/local_service.h"

namespace firn::meta {

io::Task<Result<std::string>> LocalService::readlink(InodeId inode) {
  const Inode found = CO_TRY(co_await core_->read_inode(inode));
  if (found.attr.type != FileType::kSymlink) co_return fail(Code::kInvalid);
  co_return found.target();
}

}  // namespace firn::meta
