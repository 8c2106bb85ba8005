// Which inode of the volume a source's file with several names has become.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "io/sync.h"
#include "migrate/source.h"

namespace firn::migrate {

// Thread-safe. A file is forgotten when all of its names have been seen, so what is kept is bounded by the files that
// have names elsewhere.
class HardLinks {
 public:
  // To be held while a name of the file is dealt with: the second waits for what the first becomes. Held across awaits.
  io::Mutex& mutex_of(const FileKey& key) { return mutexes_[(key.inode * 31 + key.device) % mutexes_.size()]; }
  std::optional<InodeId> find(const FileKey& key);
  // The file, which has `links` names, has become `inode`: one of them has been dealt with.
  void made(const FileKey& key, uint64_t links, InodeId inode);
  // Another of its names has been.
  void linked(const FileKey& key);

 private:
  struct File {
    InodeId inode;
    uint64_t names_left = 0;
  };
  std::array<io::Mutex, 64> mutexes_;
  std::mutex files_mutex_;  // guards files_
  std::map<FileKey, File> files_;
};

}  // namespace firn::migrate
