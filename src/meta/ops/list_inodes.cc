#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/records.h"

namespace firn::meta {

io::Task<Result<InodePage>> LocalService::list_inodes(InodeId after, size_t limit) {
  const auto transaction = core_->engine.begin();
  const auto pairs =
      CO_TRY(co_await transaction->scan(inodes_after(Prefix::kInode, after), limit, kv::Isolation::kSnapshot));
  InodePage page;
  page.inodes.reserve(pairs.size());
  for (const kv::Pair& pair : pairs) {
    page.last = CO_TRY(inode_of_key(pair.key));
    if (auto inode = decode_inode(page.last, pair.value)) {
      forget_foreign_backing(*inode, core_->options.hot_id, core_->options.journals_inline);
      page.inodes.push_back(inode->attr);
    } else {
      ++page.undecodable;
    }
  }
  co_return page;
}

}  // namespace firn::meta
