#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"

namespace firn::meta {

io::Task<Result<std::vector<Attr>>> LocalService::list_live(InodeId after, size_t limit) {
  const auto transaction = core_->engine.begin();
  const auto pairs =
      CO_TRY(co_await transaction->scan(inodes_after(Prefix::kLive, after), limit, kv::Isolation::kSnapshot));
  std::vector<Attr> live;
  live.reserve(pairs.size());
  for (const kv::Pair& pair : pairs) {
    const InodeId id = CO_TRY(inode_of_key(pair.key));
    live.push_back(CO_TRY(co_await core_->load_inode(*transaction, id, kv::Isolation::kSnapshot)).attr);
  }
  co_return live;
}

}  // namespace firn::meta
