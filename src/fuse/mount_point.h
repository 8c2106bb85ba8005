// Whether a directory can be mounted on, and why not. Blocks.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/status.h"
#include "fuse/mount_options.h"

namespace firn::fuse {

// What /proc/self/mountinfo says of the topmost mount on `path`.
struct MountEntry {
  std::string type;  // "fuse.firn"
  std::string source;
  dev_t device = 0;  // st_dev of its files
};

// kNotFound when nothing is mounted exactly there.
Result<MountEntry> find_mount(const std::string& path);
// The same from the text of a mountinfo file.
Result<MountEntry> find_mount_in(std::string_view mountinfo, std::string_view path);

// The absolute path to mount on. A dead mount (its daemon is gone) of the same source is detached, and one whose source
// is gone, too; of another, the error says how to. An error when the path is missing, no directory, already a firn
// mount, or not empty.
Result<std::string> prepare_mount_point(const MountOptions& options);

}  // namespace firn::fuse
