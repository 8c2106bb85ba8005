// Handle and DirHandle: what an open returned.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

#include "vfs/node.h"
#include "vfs/volume.h"

namespace firn::vfs {

class Handle {
 public:
  NodeRef node;
  int flags = 0;
  IoMode mode = IoMode::kCached;
  bool keeps_pages = true;  // not kPassthrough: its door may have pages of the file
  uint32_t door = 0;
  std::optional<uint64_t> cold_version;  // OpenState::cold_version when it was opened
  uint64_t syncs_failed = 0;  // of the file, when it was opened, or as this handle's fsync has said; under Node::mutex

  bool writes() const;
  bool syncs_writes() const;  // O_SYNC or O_DSYNC
};

// Remembers which name a cookie stands for, so that a listing resumes where it was although entries came and went.
class DirHandle {
 public:
  // Cookies of entries given out lately are kept; an older one is found again by a scan of the names that are there and
  // of those that went lately.
  static constexpr size_t kMaxRemembered = 65536;

  explicit DirHandle(InodeId id) : inode(id) {}

  // The name after which `cookie` resumes; nullopt when it is not remembered.
  std::optional<std::string> name_of(uint64_t cookie) const;
  void remember(uint64_t cookie, std::string_view name);

  const InodeId inode;

 private:
  mutable std::mutex names_mutex_;  // guards the two below; the kernel may list one handle from two threads
  std::unordered_map<uint64_t, std::string> names_;
  std::deque<uint64_t> order_;
};

}  // namespace firn::vfs
