// What is mounted on this machine, from /proc/self/mountinfo.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace firn::cli {

inline constexpr const char* kMountType = "fuse.firn";

struct Mount {
  std::string point;   // absolute
  std::string source;  // the volume's folder
  std::string type;
  std::string device = {};  // "0:52": that of its files
};

// firn's mounts, oldest first.
Result<std::vector<Mount>> list_mounts();
// The topmost mount at `point` (absolute), of any type. kNotFound.
Result<Mount> find_mount(const std::string& point);
// The firn mount that `path` (absolute) lies in. kNotFound.
Result<Mount> mount_of(const std::string& path);

// Whether `mount` is of the volume in the folder `root`.
bool is_of_volume(const Mount& mount, const std::string& root);
// One of its mounts in this mount namespace, if there is any.
std::optional<Mount> mount_of_volume(const std::string& root);
// Whether a daemon that is gone has left it, while another one serves what is in the folder of its volume now: that may
// be another volume.
bool is_left_over(const Mount& mount);
// Whether there is one in that of process `pid`. False as well where the caller may not know.
bool is_mounted_for(pid_t pid, const std::string& root);

// "1234 (vim)" for each process that has something open under `point`; only those that the caller may look into.
std::vector<std::string> users_of(const std::string& point);
// The same for each process in whose mount namespace, which is not the caller's, the volume is mounted.
std::vector<std::string> users_elsewhere(const std::string& root);
// The folder of the volume that a process on this machine holds to serve it at `point`, whether it is mounted there or
// not. Empty: there is none that the caller may look into.
std::string volume_to_be_at(const std::string& point);

// Parses the text of a mountinfo file; lines that are none are skipped.
std::vector<Mount> parse_mountinfo(std::string_view text);

}  // namespace firn::cli
