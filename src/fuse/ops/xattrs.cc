#include <sys/stat.h>
#include <sys/xattr.h>

#include <cstring>

#include "fuse/ops/ops.h"

namespace firn::fuse::ops {
namespace {

// ENOSYS would make the kernel stop asking for any attribute at all.
Outcome without_enosys(const Status& status) {
  return status == Code::kNotImplemented ? Outcome(Code::kNotSupported) : Outcome(status.code());
}

// size 0: the caller asks how much there is.
Outcome answer_bytes(Exchange& exchange, uint32_t size, std::string_view value) {
  if (size == 0) return exchange.answer(fuse_getxattr_out{.size = static_cast<uint32_t>(value.size())});
  if (value.size() > size || value.size() > exchange.reply.size()) return Code::kRange;
  std::memcpy(exchange.reply.data(), value.data(), value.size());
  return Outcome(value.size());
}

// The kernel found that who sets this ACL may not keep the set-group-id bit.
io::Task<Result<void>> kill_set_gid(Door& door, const meta::Credentials& who, InodeId inode) {
  const auto attr = CO_TRY(co_await door.volume().getattr(inode));
  if ((attr.mode & S_ISGID) == 0) co_return {};
  vfs::Change change;
  change.attributes.mode = attr.mode & ~static_cast<uint32_t>(S_ISGID);
  CO_TRY(co_await door.volume().setattr(who, inode, change, nullptr));
  co_return {};
}

}  // namespace

Operation getxattr(Door& door, Exchange& exchange) {
  const uint32_t size = exchange.request.op<fuse_getxattr_in>().size;
  const auto who = door.credentials(exchange.request);
  const auto value = co_await door.volume().getxattr(who, inode_of(exchange), exchange.request.name);
  if (!value) co_return without_enosys(value.error());
  co_return answer_bytes(exchange, size, *value);
}

Operation setxattr(Door& door, Exchange& exchange) {
  auto in = exchange.request.op<fuse_setxattr_in>();
  if (!door.dialect().setxattr_ext) in.setxattr_flags = 0;
  meta::XattrMode mode = meta::XattrMode::kEither;
  if (in.flags == XATTR_CREATE) mode = meta::XattrMode::kCreate;
  if (in.flags == XATTR_REPLACE) mode = meta::XattrMode::kReplace;
  if (in.flags & ~static_cast<uint32_t>(XATTR_CREATE | XATTR_REPLACE)) co_return Code::kInvalid;
  const auto who = door.credentials(exchange.request);
  const auto data = exchange.request.data;
  const std::string_view value(reinterpret_cast<const char*>(data.data()), data.size());
  const auto result = co_await door.volume().setxattr(who, inode_of(exchange), exchange.request.name, value, mode);
  if (!result) co_return without_enosys(result.error());
  if (in.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) [[unlikely]] {
    CO_TRY(co_await kill_set_gid(door, who, inode_of(exchange)));
  }
  co_return Outcome();
}

Operation listxattr(Door& door, Exchange& exchange) {
  const uint32_t size = exchange.request.op<fuse_getxattr_in>().size;
  const auto who = door.credentials(exchange.request);
  const auto names = co_await door.volume().listxattr(who, inode_of(exchange));
  if (!names) co_return without_enosys(names.error());
  std::string joined;
  for (const std::string& name : *names) joined.append(name).push_back('\0');
  co_return answer_bytes(exchange, size, joined);
}

Operation removexattr(Door& door, Exchange& exchange) {
  const auto who = door.credentials(exchange.request);
  const auto result = co_await door.volume().removexattr(who, inode_of(exchange), exchange.request.name);
  if (!result) co_return without_enosys(result.error());
  co_return Outcome();
}

}  // namespace firn::fuse::ops
