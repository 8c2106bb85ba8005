// From a kernel message to a checked request. Bytes may be garbage: every length is checked, nothing is trusted.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/status.h"
#include "fuse/protocol.h"

namespace firn::fuse {

// The largest structure that follows the header.
inline constexpr size_t kMaxOpBytes = 128;

// The parts of a message, as the transports hand them over.
struct Message {
  fuse_in_header header{};
  std::span<const std::byte> op;    // the opcode's structure: exact on /dev/fuse, with a tail over io_uring
  std::span<const std::byte> rest;  // names and data
};

// Depends on what INIT agreed on.
struct Dialect {
  bool setxattr_ext = true;  // fuse_setxattr_in has 16 bytes, not 8
};

// A decoded request. Views point into the message, which must outlive it.
struct Request {
  fuse_in_header header{};
  std::string_view name;              // the first name: 1 to 255 bytes, no NUL, no '/'
  std::string_view name2;             // RENAME: the new name; SYMLINK: the target
  std::span<const std::byte> data;    // WRITE, SETXATTR, IOCTL: the bytes; BATCH_FORGET: the array
  std::span<const std::byte> groups;  // supplementary groups: uint32_t each, maybe unaligned
  bool has_groups = false;

  // The opcode's structure, padded with zero bytes when the kernel sent an older, shorter one.
  template <class T>
  T op() const {
    static_assert(sizeof(T) <= kMaxOpBytes && std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, op_bytes, sizeof value);
    return value;
  }
  size_t group_count() const { return groups.size() / sizeof(uint32_t); }
  uint32_t group(size_t index) const {
    uint32_t value;
    std::memcpy(&value, groups.data() + index * sizeof value, sizeof value);
    return value;
  }

  alignas(8) std::byte op_bytes[kMaxOpBytes];
};

// Splits one message as read from /dev/fuse. kInvalid when it is shorter than its header says, or than a header.
Status split_message(std::span<const std::byte> bytes, const Dialect& dialect, Message& message);

// Fills `request`. kInvalid: the message contradicts itself; kNameTooLong; kNotImplemented: an opcode that this door
// does not know. request.header is filled whatever is returned, so that an error can be replied.
Status decode(const Message& message, const Dialect& dialect, Request& request);

}  // namespace firn::fuse
