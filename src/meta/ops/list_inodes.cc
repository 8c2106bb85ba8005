#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/records.h"

namespace firn::meta {

io::Task<Result<std::vector<Attr>>> LocalService::list_inodes(InodeId after, size_t limit) {
  const auto transaction = core_->engine.begin();
  const auto pairs =
      CO_TRY(co_await transaction->scan(inodes_after(Prefix::kInode, after), limit, kv::Isolation::kSnapshot));
  std::vector<Attr> inodes;
  inodes.reserve(pairs.size());
  for (const kv::Pair& pair : pairs) {
    const InodeId id = CO_TRY(inode_of_key(pair.key));
    inodes.push_back(CO_TRY(decode_inode(id, pair.value)).attr);
  }
  co_return inodes;
}

}  // namespace firn::meta
