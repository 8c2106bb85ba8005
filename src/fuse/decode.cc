#include "fuse/decode.h"

#include <algorithm>

namespace firn::fuse {
namespace {

// What follows the opcode's structure.
enum class Tail : uint8_t {
  kNone,
  kName,
  kTwoNames,       // RENAME
  kNameAndTarget,  // SYMLINK
  kNameAndValue,   // SETXATTR
  kXattrName,      // GETXATTR, REMOVEXATTR
  kData,           // WRITE
  kIoctl,
  kForgets,
};

struct Shape {
  bool known = false;
  uint8_t op_bytes = 0;
  Tail tail = Tail::kNone;
};

struct Row {
  uint32_t opcode;
  uint8_t op_bytes;
  Tail tail;
};

constexpr Row kRows[] = {
    {FUSE_LOOKUP, 0, Tail::kName},
    {FUSE_FORGET, sizeof(fuse_forget_in), Tail::kNone},
    {FUSE_GETATTR, sizeof(fuse_getattr_in), Tail::kNone},
    {FUSE_SETATTR, sizeof(fuse_setattr_in), Tail::kNone},
    {FUSE_READLINK, 0, Tail::kNone},
    {FUSE_SYMLINK, 0, Tail::kNameAndTarget},
    {FUSE_MKNOD, sizeof(fuse_mknod_in), Tail::kName},
    {FUSE_MKDIR, sizeof(fuse_mkdir_in), Tail::kName},
    {FUSE_UNLINK, 0, Tail::kName},
    {FUSE_RMDIR, 0, Tail::kName},
    {FUSE_RENAME, sizeof(fuse_rename_in), Tail::kTwoNames},
    {FUSE_LINK, sizeof(fuse_link_in), Tail::kName},
    {FUSE_OPEN, sizeof(fuse_open_in), Tail::kNone},
    {FUSE_READ, sizeof(fuse_read_in), Tail::kNone},
    {FUSE_WRITE, sizeof(fuse_write_in), Tail::kData},
    {FUSE_STATFS, 0, Tail::kNone},
    {FUSE_RELEASE, sizeof(fuse_release_in), Tail::kNone},
    {FUSE_FSYNC, sizeof(fuse_fsync_in), Tail::kNone},
    {FUSE_SETXATTR, sizeof(fuse_setxattr_in), Tail::kNameAndValue},
    {FUSE_GETXATTR, sizeof(fuse_getxattr_in), Tail::kXattrName},
    {FUSE_LISTXATTR, sizeof(fuse_getxattr_in), Tail::kNone},
    {FUSE_REMOVEXATTR, 0, Tail::kXattrName},
    {FUSE_FLUSH, sizeof(fuse_flush_in), Tail::kNone},
    {FUSE_INIT, 16, Tail::kNone},
    {FUSE_OPENDIR, sizeof(fuse_open_in), Tail::kNone},
    {FUSE_READDIR, sizeof(fuse_read_in), Tail::kNone},
    {FUSE_RELEASEDIR, sizeof(fuse_release_in), Tail::kNone},
    {FUSE_FSYNCDIR, sizeof(fuse_fsync_in), Tail::kNone},
    {FUSE_ACCESS, sizeof(fuse_access_in), Tail::kNone},
    {FUSE_CREATE, sizeof(fuse_create_in), Tail::kName},
    {FUSE_INTERRUPT, sizeof(fuse_interrupt_in), Tail::kNone},
    {FUSE_BMAP, sizeof(fuse_bmap_in), Tail::kNone},
    {FUSE_DESTROY, 0, Tail::kNone},
    {FUSE_IOCTL, sizeof(fuse_ioctl_in), Tail::kIoctl},
    {FUSE_POLL, sizeof(fuse_poll_in), Tail::kNone},
    {FUSE_BATCH_FORGET, sizeof(fuse_batch_forget_in), Tail::kForgets},
    {FUSE_FALLOCATE, sizeof(fuse_fallocate_in), Tail::kNone},
    {FUSE_READDIRPLUS, sizeof(fuse_read_in), Tail::kNone},
    {FUSE_RENAME2, sizeof(fuse_rename2_in), Tail::kTwoNames},
    {FUSE_LSEEK, sizeof(fuse_lseek_in), Tail::kNone},
    {FUSE_COPY_FILE_RANGE, sizeof(fuse_copy_file_range_in), Tail::kNone},
    {FUSE_SYNCFS, sizeof(fuse_syncfs_in), Tail::kNone},
    {FUSE_TMPFILE, sizeof(fuse_create_in), Tail::kNone},  // its name is a placeholder
    {kOpStatx, sizeof(StatxIn), Tail::kNone},
    {kOpCopyFileRange64, sizeof(fuse_copy_file_range_in), Tail::kNone},
};

constexpr size_t kOpcodes = 64;

struct ShapeTable {
  Shape shapes[kOpcodes];
  constexpr ShapeTable() {
    for (const Row& row : kRows) shapes[row.opcode] = {true, row.op_bytes, row.tail};
  }
};
constexpr ShapeTable kShapes;

Shape shape_of(uint32_t opcode, const Dialect& dialect) {
  if (opcode >= kOpcodes) return {};
  Shape shape = kShapes.shapes[opcode];
  if (opcode == FUSE_SETXATTR && !dialect.setxattr_ext) shape.op_bytes = FUSE_COMPAT_SETXATTR_IN_SIZE;
  return shape;
}

constexpr size_t kMaxName = 255;
constexpr size_t kMaxTarget = 4095;

// Takes a NUL-terminated string of at most `limit` bytes off the front of `rest`.
Status take_string(std::span<const std::byte>& rest, size_t limit, std::string_view& out) {
  const void* end = rest.empty() ? nullptr : std::memchr(rest.data(), 0, rest.size());
  if (!end) return Code::kInvalid;
  size_t length = static_cast<size_t>(static_cast<const std::byte*>(end) - rest.data());
  if (length > limit) return Code::kNameTooLong;
  out = {reinterpret_cast<const char*>(rest.data()), length};
  rest = rest.subspan(length + 1);
  return {};
}

// A name in a directory; "." and ".." are for LOOKUP only.
Status take_child_name(std::span<const std::byte>& rest, const Request& request, std::string_view& out) {
  TRY(take_string(rest, kMaxName, out));
  if (out.empty() || out.find('/') != std::string_view::npos) return Code::kInvalid;
  const bool dots = out == "." || out == "..";
  return dots && request.header.opcode != FUSE_LOOKUP ? Status(Code::kInvalid) : Status();
}

// The kernel pads data that came through pages with nothing, so the length must fit and may leave a tail.
Status take_data(std::span<const std::byte> rest, size_t bytes, std::span<const std::byte>& out) {
  if (rest.size() < bytes) return Code::kInvalid;
  out = rest.first(bytes);
  return {};
}

Status decode_groups(std::span<const std::byte> body, Request& request) {
  GroupsHeader groups;
  if (body.size() < sizeof groups) return Code::kInvalid;
  std::memcpy(&groups, body.data(), sizeof groups);
  body = body.subspan(sizeof groups);
  if (body.size() / sizeof(uint32_t) < groups.count) return Code::kInvalid;
  request.groups = body.first(groups.count * sizeof(uint32_t));
  request.has_groups = true;
  return {};
}

// Extensions lie at the end of the message; unknown ones are skipped.
Status decode_extensions(std::span<const std::byte>& rest, Request& request) {
  size_t bytes = size_t{request.header.total_extlen} * 8;
  if (bytes == 0) return {};
  if (bytes > rest.size()) return Code::kInvalid;
  std::span<const std::byte> extensions = rest.last(bytes);
  rest = rest.first(rest.size() - bytes);
  while (extensions.size() >= sizeof(fuse_ext_header)) {
    fuse_ext_header header;
    std::memcpy(&header, extensions.data(), sizeof header);
    if (header.size < sizeof header || header.size > extensions.size()) return Code::kInvalid;
    if (header.type == kExtensionGroups) {
      TRY(decode_groups(extensions.subspan(sizeof header, header.size - sizeof header), request));
    }
    extensions = extensions.subspan(std::min<size_t>(FUSE_REC_ALIGN(size_t{header.size}), extensions.size()));
  }
  return {};
}

Status decode_setxattr(std::span<const std::byte> rest, Request& request) {
  TRY(take_string(rest, kMaxName, request.name));
  if (request.name.empty()) return Code::kInvalid;
  return take_data(rest, request.op<fuse_setxattr_in>().size, request.data);
}

Status decode_tail(Tail tail, std::span<const std::byte> rest, Request& request) {
  switch (tail) {
    case Tail::kNone:
      return {};
    case Tail::kName:
      return take_child_name(rest, request, request.name);
    case Tail::kTwoNames:
      TRY(take_child_name(rest, request, request.name));
      return take_child_name(rest, request, request.name2);
    case Tail::kNameAndTarget:
      TRY(take_child_name(rest, request, request.name));
      TRY(take_string(rest, kMaxTarget, request.name2));
      return request.name2.empty() ? Status(Code::kInvalid) : Status();
    case Tail::kNameAndValue:
      return decode_setxattr(rest, request);
    case Tail::kXattrName:
      TRY(take_string(rest, kMaxName, request.name));
      return request.name.empty() ? Status(Code::kInvalid) : Status();
    case Tail::kData:
      return take_data(rest, request.op<fuse_write_in>().size, request.data);
    case Tail::kIoctl:
      return take_data(rest, request.op<fuse_ioctl_in>().in_size, request.data);
    case Tail::kForgets: {
      size_t count = request.op<fuse_batch_forget_in>().count;
      return take_data(rest, count * sizeof(fuse_forget_one), request.data);
    }
  }
  return Code::kInvalid;
}

}  // namespace

Status split_message(std::span<const std::byte> bytes, const Dialect& dialect, Message& message) {
  if (bytes.size() < sizeof message.header) return Code::kInvalid;
  std::memcpy(&message.header, bytes.data(), sizeof message.header);
  if (message.header.len != bytes.size()) return Code::kInvalid;
  bytes = bytes.subspan(sizeof message.header);
  size_t op_bytes = shape_of(message.header.opcode, dialect).op_bytes;
  // INIT grows with every protocol version: all of it is its structure.
  if (message.header.opcode == FUSE_INIT) op_bytes = std::min(bytes.size(), kMaxOpBytes);
  op_bytes = std::min(op_bytes, bytes.size());
  message.op = bytes.first(op_bytes);
  message.rest = bytes.subspan(op_bytes);
  return {};
}

Status decode(const Message& message, const Dialect& dialect, Request& request) {
  request.header = message.header;
  Shape shape = shape_of(message.header.opcode, dialect);
  if (!shape.known) return Code::kNotImplemented;
  if (message.op.size() < shape.op_bytes) return Code::kInvalid;
  size_t op_bytes = message.header.opcode == FUSE_INIT ? std::min(message.op.size(), kMaxOpBytes) : shape.op_bytes;
  if (op_bytes > 0) std::memcpy(request.op_bytes, message.op.data(), op_bytes);
  std::memset(request.op_bytes + op_bytes, 0, kMaxOpBytes - op_bytes);
  request.name = request.name2 = {};
  request.data = request.groups = {};
  request.has_groups = false;
  std::span<const std::byte> rest = message.rest;
  TRY(decode_extensions(rest, request));
  return decode_tail(shape.tail, rest, request);
}

}  // namespace firn::fuse
