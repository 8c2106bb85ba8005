// What is asked about the door's own names (fuse/reserved.h).
#include "fuse/reserved.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "base/time.h"
#include "fuse/ops/ops.h"
#include "fuse/wire.h"

namespace firn::fuse {
namespace {

bool names_something(uint32_t opcode) {
  switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_SYMLINK:
    case FUSE_LINK:
    case FUSE_CREATE:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RENAME:
    case FUSE_RENAME2:
      return true;
    default:
      return false;
  }
}

bool renames(uint32_t opcode) { return opcode == FUSE_RENAME || opcode == FUSE_RENAME2; }

}  // namespace

bool is_reserved(const Request& request) {
  const fuse_in_header& header = request.header;
  if (is_reserved(header.nodeid)) return true;
  if (header.nodeid == FUSE_ROOT_ID && request.name == kReservedName && names_something(header.opcode)) return true;
  return renames(header.opcode) && request.name2 == kReservedName &&
         request.op<fuse_rename2_in>().newdir == FUSE_ROOT_ID;
}

namespace ops {
namespace {

// For root and whoever runs the daemon.
meta::Attr attr_of(uint64_t inode) {
  const bool folder = inode == kReservedFolder;
  const Timestamp now = system_clock().now();
  return {.inode = InodeId(inode),
          .type = folder ? meta::FileType::kDirectory : meta::FileType::kRegular,
          .mode = folder ? 0500U : 0400U,
          .nlink = folder ? 2U : 1U,
          .uid = geteuid(),
          .gid = getegid(),
          .atime = now,
          .mtime = now,
          .ctime = now,
          .btime = now};
}

Outcome look_up(Door& door, Exchange& exchange) {
  const uint64_t parent = exchange.header().nodeid;
  if (parent == FUSE_ROOT_ID) return exchange.answer(wire_entry(door.options(), attr_of(kReservedFolder)));
  if (parent != kReservedFolder) return Code::kNotDirectory;
  if (exchange.request.name != kAccessLogName) return Code::kNotFound;
  return exchange.answer(wire_entry(door.options(), attr_of(kAccessLogFile)));
}

Outcome open_file(Door& door, Exchange& exchange) {
  const fuse_in_header& header = exchange.header();
  if (header.nodeid != kAccessLogFile) return Code::kIsDirectory;
  if (header.uid != 0 && header.uid != geteuid()) return Code::kAccessDenied;
  if ((exchange.request.op<fuse_open_in>().flags & O_ACCMODE) != O_RDONLY) return Code::kAccessDenied;
  return exchange.answer(OpenOut{.fh = reinterpret_cast<uint64_t>(door.access_log().open()),
                                 .open_flags = FOPEN_DIRECT_IO | FOPEN_NONSEEKABLE | FOPEN_NOFLUSH,
                                 .backing_id = 0});
}

vfs::AccessLog::Reader* reader_of(uint64_t fh) { return reinterpret_cast<vfs::AccessLog::Reader*>(fh); }

Outcome list_folder(Exchange& exchange) {
  struct Entry {
    uint64_t inode;
    std::string_view name;
    meta::FileType type;
  };
  constexpr Entry kEntries[] = {{kReservedFolder, ".", meta::FileType::kDirectory},
                                {FUSE_ROOT_ID, "..", meta::FileType::kDirectory},
                                {kAccessLogFile, kAccessLogName, meta::FileType::kRegular}};
  const auto in = exchange.request.op<fuse_read_in>();
  // With attributes, an entry of inode 0 before each: the kernel is only told the name.
  const size_t head = exchange.header().opcode == FUSE_READDIRPLUS ? sizeof(fuse_entry_out) : 0;
  const auto buffer = exchange.reply.first(std::min<size_t>(in.size, exchange.reply.size()));
  size_t used = 0;
  for (uint64_t i = in.offset; i < std::size(kEntries); ++i) {
    const Entry& entry = kEntries[i];
    const size_t bytes = head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.name.size());
    if (used + bytes > buffer.size()) break;
    std::memset(buffer.data() + used, 0, bytes);
    auto* dirent = reinterpret_cast<fuse_dirent*>(buffer.data() + used + head);
    dirent->ino = entry.inode;
    dirent->off = i + 1;
    dirent->namelen = static_cast<uint32_t>(entry.name.size());
    dirent->type = dirent_type(entry.type);
    std::memcpy(buffer.data() + used + head + FUSE_NAME_OFFSET, entry.name.data(), entry.name.size());
    used += bytes;
  }
  return Outcome(used);
}

Outcome end_file(Door& door, Exchange& exchange) {
  door.access_log().close(reader_of(exchange.request.op<fuse_release_in>().fh));
  return Outcome();
}

// What only changes, or makes no sense of such a file, is not permitted.
Outcome answer_at_once(Door& door, Exchange& exchange) {
  switch (exchange.header().opcode) {
    case FUSE_LOOKUP:
      return look_up(door, exchange);
    case FUSE_GETATTR:
      return exchange.answer(wire_attr_out(door.options(), attr_of(exchange.header().nodeid)));
    case kOpStatx:
      return exchange.answer(wire_statx(door.options(), attr_of(exchange.header().nodeid)));
    case FUSE_OPEN:
      return open_file(door, exchange);
    case FUSE_RELEASE:
      return end_file(door, exchange);
    case FUSE_OPENDIR:
      return exchange.answer(OpenOut{.fh = 0, .open_flags = FOPEN_NOFLUSH, .backing_id = 0});
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
      return list_folder(exchange);
    case FUSE_RELEASEDIR:
    case FUSE_ACCESS:
      return Outcome();
    case FUSE_GETXATTR:
    case FUSE_LISTXATTR:
      return Code::kNotSupported;
    case FUSE_FORGET:
      return Outcome::none();
    default:
      return Code::kNotPermitted;
  }
}

}  // namespace

Operation reserved(Door& door, Exchange& exchange) {
  if (exchange.header().opcode != FUSE_READ) co_return answer_at_once(door, exchange);
  const auto in = exchange.request.op<fuse_read_in>();
  const auto buffer = exchange.reply.first(std::min<size_t>(in.size, exchange.reply.size()));
  co_return Outcome(co_await door.access_log().read(reader_of(in.fh), buffer));
}

}  // namespace ops
}  // namespace firn::fuse
