#include <sys/stat.h>

#include "fuse/ops/ops.h"
#include "fuse/wire.h"

namespace firn::fuse::ops {
namespace {

struct CreateOut {
  fuse_entry_out entry;
  OpenOut open;
};
static_assert(sizeof(CreateOut) == 144);

vfs::OpenOptions open_options(const Door& door, uint32_t flags) {
  return {.flags = static_cast<int>(flags), .allow_passthrough = door.options().passthrough};
}

OpenOut wire_open(const vfs::Opened& opened) {
  // There is nothing to do at close(2) but what RELEASE does, so FLUSH would be a round trip for nothing.
  OpenOut out{.fh = reinterpret_cast<uint64_t>(opened.handle), .open_flags = FOPEN_NOFLUSH, .backing_id = 0};
  switch (opened.mode) {
    case vfs::IoMode::kCached:
      if (opened.keep_cache) out.open_flags |= FOPEN_KEEP_CACHE;
      break;
    case vfs::IoMode::kDirect:
      out.open_flags |= FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
      break;
    case vfs::IoMode::kPassthrough:
      out.open_flags |= kOpenPassthrough;
      // The kernel takes an inode that is open in passthrough for nothing else; of the two, direct I/O comes first.
      if (opened.asks) out.open_flags |= FOPEN_DIRECT_IO;
      out.backing_id = opened.passthrough_id;
      break;
  }
  return out;
}

CreateOut wire_create(Door& door, const vfs::Opened& opened) {
  door.volume().pin(opened.attr.inode);
  return {wire_entry(door.options(), opened.attr), wire_open(opened)};
}

// open(O_TRUNC) by somebody who may not keep set-id bits. The file is open already: a failure is not the opener's.
io::Task<void> kill_set_ids(Door& door, const meta::Credentials& who, const vfs::Opened& opened) {
  if ((opened.attr.mode & (S_ISUID | S_ISGID)) == 0) co_return;
  vfs::Change change;
  change.attributes.kill_set_ids = true;
  (void)co_await door.volume().setattr(who, opened.attr.inode, change, opened.handle);
}

meta::NodeSpec spec_of(const fuse_create_in& in) { return {.mode = in.mode & 07777, .umask = in.umask}; }

}  // namespace

Operation open(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_open_in>();
  const auto who = door.credentials(exchange.request);
  const auto opened = CO_TRY(co_await door.volume().open(who, inode_of(exchange), open_options(door, in.flags)));
  if (in.open_flags & FUSE_OPEN_KILL_SUIDGID) [[unlikely]]
    co_await kill_set_ids(door, who, opened);
  co_return exchange.answer(wire_open(opened));
}

Operation create(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_create_in>();
  const auto who = door.credentials(exchange.request);
  const meta::NodeSpec spec = spec_of(in);
  const auto opened = CO_TRY(co_await door.volume().create(who, inode_of(exchange), exchange.request.name, spec,
                                                           open_options(door, in.flags)));
  if (in.open_flags & FUSE_OPEN_KILL_SUIDGID) [[unlikely]] {
    if (opened.existed) co_await kill_set_ids(door, who, opened);
  }
  co_return exchange.answer(wire_create(door, opened));
}

Operation create_unnamed(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_create_in>();
  const auto who = door.credentials(exchange.request);
  const meta::NodeSpec spec = spec_of(in);
  const auto opened =
      CO_TRY(co_await door.volume().create_unnamed(who, inode_of(exchange), spec, open_options(door, in.flags)));
  co_return exchange.answer(wire_create(door, opened));
}

Operation release(Door& door, Exchange& exchange) {
  auto* handle = reinterpret_cast<vfs::Handle*>(exchange.request.op<fuse_release_in>().fh);
  if (!handle) co_return Code::kBadHandle;
  // close(2) has returned long ago: what asks next had better not wait for it.
  door.volume().release_later(handle);
  co_return Outcome();
}

}  // namespace firn::fuse::ops
