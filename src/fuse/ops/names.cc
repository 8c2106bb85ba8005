#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#include "fuse/ops/ops.h"
#include "fuse/wire.h"

namespace firn::fuse::ops {
namespace {

constexpr uint32_t kRenameFlags = RENAME_NOREPLACE | RENAME_EXCHANGE;

// Hands an inode to the kernel: it counts one lookup, so do we.
Outcome answer_entry(Door& door, Exchange& exchange, const meta::Attr& attr) {
  door.volume().pin(attr.inode);
  return exchange.answer(wire_entry(door.options(), attr));
}

// A name that is not there is worth remembering too: nodeid 0 with a timeout.
Outcome answer_absent(Door& door, Exchange& exchange) {
  if (door.options().negative_valid_s == 0) return Code::kNotFound;
  fuse_entry_out out{};
  out.entry_valid = door.options().negative_valid_s;
  return exchange.answer(out);
}

// "." and "..": how an exporter (NFS) asks for an inode of which it has but the number.
io::Task<Result<meta::Attr>> lookup_dots(vfs::Volume& volume, InodeId inode, bool parent) {
  meta::Attr attr = CO_TRY(co_await volume.getattr(inode));
  if (!parent) co_return attr;
  if (attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  co_return co_await volume.getattr(attr.parent);
}

}  // namespace

Operation lookup(Door& door, Exchange& exchange) {
  const std::string_view name = exchange.request.name;
  if (name == "." || name == "..") [[unlikely]] {
    const auto attr = CO_TRY(co_await lookup_dots(door.volume(), inode_of(exchange), name.size() == 2));
    co_return answer_entry(door, exchange, attr);
  }
  const auto who = door.credentials(exchange.request);
  auto attr = co_await door.volume().lookup(who, inode_of(exchange), name);
  if (attr) co_return answer_entry(door, exchange, *attr);
  if (attr.error() == Code::kNotFound) co_return answer_absent(door, exchange);
  co_return attr.error();
}

Operation make_special(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_mknod_in>();
  meta::NodeSpec spec{.mode = in.mode & 07777, .umask = in.umask};
  switch (in.mode & S_IFMT) {
    case 0:
    case S_IFREG:
      spec.type = meta::FileType::kRegular;
      break;
    case S_IFIFO:
      spec.type = meta::FileType::kFifo;
      break;
    case S_IFSOCK:
      spec.type = meta::FileType::kSocket;
      break;
    case S_IFCHR:
      spec.type = meta::FileType::kCharDevice;
      break;
    case S_IFBLK:
      spec.type = meta::FileType::kBlockDevice;
      break;
    default:
      co_return Code::kInvalid;
  }
  const bool device = spec.type == meta::FileType::kCharDevice || spec.type == meta::FileType::kBlockDevice;
  if (device) spec.rdev = rdev_of_wire(in.rdev);
  const auto who = door.credentials(exchange.request);
  const auto attr = CO_TRY(co_await door.volume().make_node(who, inode_of(exchange), exchange.request.name, spec));
  co_return answer_entry(door, exchange, attr);
}

Operation make_directory(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_mkdir_in>();
  const meta::NodeSpec spec{.type = meta::FileType::kDirectory, .mode = in.mode & 07777, .umask = in.umask};
  const auto who = door.credentials(exchange.request);
  const auto attr = CO_TRY(co_await door.volume().make_node(who, inode_of(exchange), exchange.request.name, spec));
  co_return answer_entry(door, exchange, attr);
}

Operation make_symlink(Door& door, Exchange& exchange) {
  const meta::NodeSpec spec{
      .type = meta::FileType::kSymlink, .mode = 0777, .target = std::string(exchange.request.name2)};
  const auto who = door.credentials(exchange.request);
  const auto attr = CO_TRY(co_await door.volume().make_node(who, inode_of(exchange), exchange.request.name, spec));
  co_return answer_entry(door, exchange, attr);
}

Operation link(Door& door, Exchange& exchange) {
  const InodeId inode(exchange.request.op<fuse_link_in>().oldnodeid);
  const auto who = door.credentials(exchange.request);
  const auto attr = CO_TRY(co_await door.volume().link(who, inode, inode_of(exchange), exchange.request.name));
  co_return answer_entry(door, exchange, attr);
}

Operation unlink(Door& door, Exchange& exchange) {
  const auto who = door.credentials(exchange.request);
  CO_TRY(co_await door.volume().unlink(who, inode_of(exchange), exchange.request.name));
  co_return Outcome();
}

Operation remove_directory(Door& door, Exchange& exchange) {
  const auto who = door.credentials(exchange.request);
  CO_TRY(co_await door.volume().rmdir(who, inode_of(exchange), exchange.request.name));
  co_return Outcome();
}

Operation rename(Door& door, Exchange& exchange) {
  const bool has_flags = exchange.header().opcode == FUSE_RENAME2;
  const auto in = exchange.request.op<fuse_rename2_in>();  // fuse_rename_in is its first field
  const uint32_t flags = has_flags ? in.flags : 0;
  if (flags & ~kRenameFlags) co_return Code::kInvalid;
  const meta::RenameOptions options{.no_replace = (flags & RENAME_NOREPLACE) != 0,
                                    .exchange = (flags & RENAME_EXCHANGE) != 0};
  if (options.no_replace && options.exchange) co_return Code::kInvalid;
  const auto who = door.credentials(exchange.request);
  CO_TRY(co_await door.volume().rename(who, inode_of(exchange), exchange.request.name, InodeId(in.newdir),
                                       exchange.request.name2, options));
  co_return Outcome();
}

Operation readlink(Door& door, Exchange& exchange) {
  const auto target = CO_TRY(co_await door.volume().readlink(inode_of(exchange)));
  if (target.size() > exchange.reply.size()) co_return Code::kIo;
  memcpy(exchange.reply.data(), target.data(), target.size());
  co_return Outcome(target.size());
}

}  // namespace firn::fuse::ops
