// FollowedFiles: what came back of files that another machine writes. No record names their backings, which hold one
// version each, and last until there is another or their room is needed.
#pragma once

#include <atomic>
#include <mutex>
#include <unordered_map>

#include "data/store.h"
#include "meta/types.h"
#include "tier/returned_blocks.h"

namespace firn::vfs {

// Thread-safe. What it refers to must outlive it.
class FollowedFiles {
 public:
  FollowedFiles(data::Store& data, tier::ReturnedBlocks& returned) : data_(data), returned_(returned) {}

  // A backing for the version that `attr` tells of, empty but for what has come back of it. Under Node::mutex.
  io::Task<Result<data::ObjectRef>> backing_of(const meta::Attr& attr);

  void note_arrived(uint64_t bytes) { arrived_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  // So much has come back since the last make_room(), at least that is what it takes on the local disk.
  uint64_t arrived_bytes() const { return arrived_bytes_.load(std::memory_order_relaxed); }
  // Gives up whatever nobody has open.
  io::Task<void> make_room();

 private:
  struct Held {
    uint64_t version = 0;  // meta::Content::uploaded_version
    data::ObjectRef object;
  };
  io::Task<void> give_up(InodeId inode, Held held);

  data::Store& data_;
  tier::ReturnedBlocks& returned_;
  std::atomic<uint64_t> arrived_bytes_ = 0;
  std::mutex held_mutex_;  // guards held_
  std::unordered_map<InodeId, Held> held_;
};

}  // namespace firn::vfs
