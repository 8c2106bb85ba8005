// OpenDirectories: directories that were listed lately, with what their cookies stand for.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "vfs/volume.h"

namespace firn::nfs {

// Thread-safe; calls need a current reactor. At most kMost are kept: a listing that goes on in a directory that was let
// go finds its place again by reading the names from the start, and the log of events for a name that is gone.
class OpenDirectories {
 public:
  static constexpr size_t kMost = 64;

  OpenDirectories(vfs::Volume& volume, vfs::DoorId door) : volume_(volume), door_(door) {}

  // As Volume::open_directory, without a check of permissions.
  io::Task<Result<std::shared_ptr<vfs::DirHandle>>> get(InodeId inode);
  // Lets go of all, which nobody may be using: before the volume ends.
  void clear();

 private:
  using Directory = std::shared_ptr<vfs::DirHandle>;
  using Order = std::list<std::pair<InodeId, Directory>>;
  Directory find(InodeId inode);

  vfs::Volume& volume_;
  const vfs::DoorId door_;
  std::mutex mutex_;  // guards the two below; a few instructions
  Order order_;       // used last first
  std::unordered_map<InodeId, Order::iterator> kept_;
};

}  // namespace firn::nfs
