// Mount options: `-o name,name=value,...` to a structure, and the structure to what mount(2) and fusermount3 take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "fuse/negotiate.h"
#include "fuse/transport.h"

namespace firn::fuse {

struct MountOptions {
  std::string mount_point;
  std::string source = "firn";  // what df and mount show; the volume's name

  // allow_other: other users than the mounter may use the mount. Unset: yes for root, no for others.
  std::optional<bool> allow_other;
  bool default_permissions = true;  // the kernel checks modes and ACLs itself
  bool read_only = false;
  bool no_atime = false;
  // Unset: allowed for root, refused for others (fusermount3 does not leave it to us).
  bool no_suid = false, no_dev = false, no_exec = false;
  bool non_empty = false;  // mount over a directory that is not empty

  std::optional<TransportKind> transport;  // unset: the best that works
  bool passthrough = true;
  uint32_t max_write = kDefaultWriteBytes;
  uint32_t readahead = kDefaultReadaheadBytes;
  bool cache_directories = false;
  // For how long the kernel may believe names and attributes; unset: until it is told otherwise. For volumes that
  // change without anybody saying so.
  std::optional<uint64_t> valid_s;
};

// Adds `text` (comma-separated) to `options`. kInvalid names the option and what is allowed.
Status parse_mount_options(std::string_view text, MountOptions& options);

// MS_* flags for mount(2).
unsigned long mount_flags(const MountOptions& options);
// The option string of mount(2)'s data, for the connection `fd`.
std::string mount_data(const MountOptions& options, int fd, bool allow_other);
// The -o argument of fusermount3.
std::string fusermount_options(const MountOptions& options, bool allow_other);

}  // namespace firn::fuse
