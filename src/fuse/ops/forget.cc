#include <cstring>

#include "fuse/ops/ops.h"
#include "fuse/reserved.h"

namespace firn::fuse::ops {

Operation forget(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_forget_in>();
  if (in.nlookup > 0) co_await door.volume().unpin(inode_of(exchange), in.nlookup);
  co_return Outcome::none();
}

Operation batch_forget(Door& door, Exchange& exchange) {
  const std::span<const std::byte> items = exchange.request.data;
  for (size_t offset = 0; offset < items.size(); offset += sizeof(fuse_forget_one)) {
    fuse_forget_one item;
    std::memcpy(&item, items.data() + offset, sizeof item);
    if (item.nlookup > 0 && !is_reserved(item.nodeid)) co_await door.volume().unpin(InodeId(item.nodeid), item.nlookup);
  }
  co_return Outcome::none();
}

}  // namespace firn::fuse::ops
