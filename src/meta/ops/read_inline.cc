#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"

namespace firn::meta {

io::Task<Result<std::string>> LocalService::read_inline(InodeId inode) {
  const Inode found = CO_TRY(co_await core_->read_inode(inode));
  if (!found.has_inline) co_return std::string();
  const auto transaction = core_->engine.begin();
  auto value = CO_TRY(co_await transaction->get(inline_key(inode), kv::Isolation::kSnapshot));
  co_return std::move(value).value_or(std::string());
}

}  // namespace firn::meta
