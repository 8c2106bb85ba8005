#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"

namespace firn::meta {

io::Task<Result<std::vector<InodeId>>> LocalService::list_orphans(InodeId after, size_t limit) {
  const auto transaction = core_->engine.begin();
  const auto pairs =
      CO_TRY(co_await transaction->scan(inodes_after(Prefix::kOrphan, after), limit, kv::Isolation::kSnapshot));
  std::vector<InodeId> orphans;
  orphans.reserve(pairs.size());
  for (const kv::Pair& pair : pairs) orphans.push_back(CO_TRY(inode_of_key(pair.key)));
  co_return orphans;
}

}  // namespace firn::meta
