#include "meta/ops/kill_set_ids.h"

#include "meta/keys.h"

namespace firn::meta {

io::Task<Result<void>> drop_capabilities(Mutation& m, Inode& inode) {
  static constexpr std::string_view kName = "security.capability";
  if (inode.attr.xattr_count == 0) co_return {};
  const Key key = xattr_key(inode.attr.inode, kName);
  const auto value = CO_TRY(co_await m.transaction().get(key, m.isolation()));
  if (!value) co_return {};
  m.transaction().erase(key);
  --inode.attr.xattr_count;
  inode.xattr_bytes -= std::min(inode.xattr_bytes, uint32_t(kName.size() + value->size()));
  co_return {};
}

}  // namespace firn::meta
