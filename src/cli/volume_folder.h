// The folder that is a volume: what lies where in it, whether it is one, and the lock of the daemon that serves it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/status.h"
#include "io/unique_fd.h"

namespace firn::cli {

// Invariants of the folder:
//  1. `firn init` and `firn restore` make `firn.init` (cli/folder_marker.h) first and remove it last: while it is there
//  the folder holds nothing of value.
//  2. A folder with firn.toml and without firn.init is a volume.
//  3. Whoever writes in meta/ or hot/ holds an exclusive flock on firn.lock.
struct VolumePaths {
  std::string root;  // absolute
  std::string config() const { return root + "/firn.toml"; }
  std::string marker() const { return root + "/firn.init"; }
  std::string meta() const { return root + "/meta"; }
  std::string hot() const { return root + "/hot"; }
  std::string lock() const { return root + "/firn.lock"; }
  std::string tokens() const { return root + "/http.tokens"; }
  std::string log() const { return root + "/firn.log"; }
  std::string database() const { return root + "/database.id"; }
  std::string hot_id() const { return root + "/hot.id"; }
  std::string checked() const { return root + "/tier.checked"; }
};

// Which folder of backings hot/ is: 0 for the one that the volume was made with, another for each that a restore made.
// Records that refer to another one's files have no local copy.
Result<uint64_t> read_hot_id(const VolumePaths& paths);

// What the volume holds here goes; hot/ is a new folder of backings, and this is its id.
Result<uint64_t> start_anew(const VolumePaths& paths);

// 16 bytes that tell meta/ from every other volume's and from copies that a restore made; made up at the first call.
Result<std::string> database_id(const VolumePaths& paths);

inline constexpr const char* kSocketName = "firn.sock";

enum class FolderState : uint8_t { kMissing, kNotFolder, kEmpty, kForeign, kHalfMade, kVolume };

struct Probe {
  FolderState state = FolderState::kMissing;
  VolumePaths paths;
};

// What is at `path`. Fails where the folder cannot be looked into.
Result<Probe> probe_folder(const std::string& path);
// The paths of a volume that is there; otherwise a failure that says what is there instead, and what to do.
Result<VolumePaths> require_volume(const std::string& path);
// Whether a volume can be made at `path`, which `probe` is of; if not, what is there. `otherwise`: what to do about a
// volume that is there.
Status check_vacant(const std::string& path, const Probe& probe, const std::string& otherwise);

// Who holds a volume, as firn.lock tells it.
struct Holder {
  pid_t pid = 0;
  std::string mount_point;  // empty: serves without a mount
  bool serves = false;      // no longer only about to
  std::string failure;      // left by a daemon that could not end cleanly
};

// An exclusive flock on firn.lock, released by the destructor or by the process's death.
class VolumeLock {
 public:
  // kBusy when another process has it; the message names it.
  static Result<VolumeLock> take(const VolumePaths& paths, const std::string& mount_point);
  // Whoever finds the holder sees that it serves the volume by now.
  void note_serving();
  // Empties the lock file; a non-empty `failure` stays in it for whoever waits for the end (`firn umount`).
  void leave(const std::string& failure);

 private:
  explicit VolumeLock(io::UniqueFd fd) : fd_(std::move(fd)) {}
  io::UniqueFd fd_;
};

// The process that serves the volume now, if any.
std::optional<Holder> find_holder(const VolumePaths& paths);
// Waits until nobody holds the volume, at most `timeout_ms`: what the last holder left behind. kTimedOut.
Result<Holder> wait_for_release(const VolumePaths& paths, int timeout_ms);

// The absolute form of `path`, without requiring that it exists; "." and ".." and double slashes are resolved.
std::string absolute_path(const std::string& path);
// The parent with symlinks resolved, the last name as it is: a symlink itself can be meant.
std::string absolute_but_last(const std::string& path);

}  // namespace firn::cli
