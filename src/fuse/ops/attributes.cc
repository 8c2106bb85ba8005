#include "fuse/ops/ops.h"
#include "fuse/wire.h"

namespace firn::fuse::ops {
namespace {

Timestamp timestamp(uint64_t seconds, uint32_t nanoseconds) { return {static_cast<int64_t>(seconds), nanoseconds}; }

void add_times(const fuse_setattr_in& in, meta::SetAttr& change) {
  if (in.valid & FATTR_ATIME_NOW) {
    change.atime_now = true;
  } else if (in.valid & FATTR_ATIME) {
    change.atime = timestamp(in.atime, in.atimensec);
  }
  if (in.valid & FATTR_MTIME_NOW) {
    change.mtime_now = true;
  } else if (in.valid & FATTR_MTIME) {
    change.mtime = timestamp(in.mtime, in.mtimensec);
  }
  if (in.valid & FATTR_CTIME) change.ctime = timestamp(in.ctime, in.ctimensec);
}

bool valid_times(const fuse_setattr_in& in) {
  constexpr uint32_t kSecond = 1'000'000'000;
  return in.atimensec < kSecond && in.mtimensec < kSecond && in.ctimensec < kSecond;
}

vfs::Change change_of(const fuse_setattr_in& in) {
  vfs::Change change;
  if (in.valid & FATTR_MODE) change.attributes.mode = in.mode & 07777;
  if (in.valid & FATTR_UID) change.attributes.uid = in.uid;
  if (in.valid & FATTR_GID) change.attributes.gid = in.gid;
  if (in.valid & FATTR_SIZE) change.size = in.size;
  change.attributes.kill_set_ids = (in.valid & FATTR_KILL_SUIDGID) != 0;
  add_times(in, change.attributes);
  return change;
}

}  // namespace

Operation getattr(Door& door, Exchange& exchange) {
  const auto attr = CO_TRY(co_await door.volume().getattr(inode_of(exchange)));
  co_return exchange.answer(wire_attr_out(door.options(), attr));
}

Operation setattr(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_setattr_in>();
  if (!valid_times(in)) co_return Code::kInvalid;
  auto* handle = in.valid & FATTR_FH ? reinterpret_cast<vfs::Handle*>(in.fh) : nullptr;
  const vfs::Change change = change_of(in);
  const auto who = door.credentials(exchange.request);
  const auto attr = CO_TRY(co_await door.volume().setattr(who, inode_of(exchange), change, handle));
  co_return exchange.answer(wire_attr_out(door.options(), attr));
}

Operation statx(Door& door, Exchange& exchange) {
  const auto attr = CO_TRY(co_await door.volume().getattr(inode_of(exchange)));
  co_return exchange.answer(wire_statx(door.options(), attr));
}

Operation access(Door& door, Exchange& exchange) {
  const auto mask = exchange.request.op<fuse_access_in>().mask;
  const auto who = door.credentials(exchange.request);
  CO_TRY(co_await door.volume().access(who, inode_of(exchange), static_cast<int>(mask)));
  co_return Outcome();
}

}  // namespace firn::fuse::ops
