// What is mounted on this machine, from /proc/self/mountinfo.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace firn::cli {

inline constexpr const char* kMountType = "fuse.firn";

struct Mount {
  std::string point;   // absolute
  std::string source;  // the volume's folder
  std::string type;
};

// firn's mounts, oldest first.
Result<std::vector<Mount>> list_mounts();
// The topmost mount at `point` (absolute), of any type. kNotFound.
Result<Mount> find_mount(const std::string& point);
// The firn mount that `path` (absolute) lies in. kNotFound.
Result<Mount> mount_of(const std::string& path);

// "1234 (vim)" for each process that has something open under `point`; only those that the caller may look into.
std::vector<std::string> users_of(const std::string& point);

// Parses the text of a mountinfo file; lines that are none are skipped.
std::vector<Mount> parse_mountinfo(std::string_view text);

}  // namespace firn::cli
