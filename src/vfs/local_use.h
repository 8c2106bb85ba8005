// LocalUse: what files take of the local disk.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/ids.h"
#include "data/store.h"

namespace firn::vfs {

// Counted from the records at the start and by each walk over all inodes, and kept up in between by what is noted.
// Thread-safe.
class LocalUse {
 public:
  // ---- whole files ----
  void set_whole(uint64_t bytes);
  // So much more, or less, is there of the inode.
  void note_whole(InodeId inode, int64_t bytes);
  uint64_t whole_bytes() const;

  // A walk in the order of the inodes, one at a time: what is noted behind it counts beside what it finds, what is
  // noted before it is found by it.
  void begin_walk();
  void walked(InodeId last);  // it has the records up to this one
  void end_walk(uint64_t found_bytes);

  // ---- what has come back of evicted files, by their backings ----
  // From now on there may be more of it, until close_part(): then the disk says how many bytes that are.
  void open_part(data::ObjectRef backing);
  io::Task<uint64_t> close_part(BackingId backing);
  // So much is on its way to it.
  void note_part(BackingId backing, uint64_t bytes);
  // All of it is to come back.
  void want_whole(BackingId backing, bool wanted);
  bool is_wanted_whole(BackingId backing) const;
  // It is empty, or removed, or the backing of a whole file.
  void forget_part(BackingId backing);
  // Asks the disk about those that are open.
  io::Task<void> look_at_open();
  // Of one that is not open, as far as is known.
  uint64_t closed_part(BackingId backing) const;
  uint64_t open_part_bytes() const;
  uint64_t part_bytes() const;  // of all

  // There are too many to know each: a count of those that are not known by their backings is due.
  bool lacks_parts() const;
  void begin_count();
  bool knows_part(BackingId backing) const;
  // While records are read and the disk is asked about what they say; one at a time. `use` must outlive it.
  class Finding {
   public:
    explicit Finding(LocalUse& use);
    ~Finding();
    // Unless it was forgotten since this began.
    void found_part(BackingId backing, uint64_t bytes);

   private:
    LocalUse& use_;
  };

 private:
  // What is known one by one, of files that are not open: some 50 bytes of memory each.
  static constexpr size_t kMostParts = 1 << 19;
  struct OpenPart {
    data::ObjectRef object;
    uint64_t bytes = 0;
    bool wanted_whole = false;
  };
  // Under mutex_.
  void add_closed(BackingId backing, uint64_t bytes);
  void set_open(OpenPart& part, uint64_t bytes);

  mutable std::mutex mutex_;  // guards the rest
  int64_t whole_ = 0;
  InodeId walked_;            // 0: nothing, or there is no walk
  int64_t noted_behind_ = 0;  // since it began
  std::unordered_map<BackingId, OpenPart> open_;
  std::unordered_map<BackingId, uint64_t> closed_;
  std::optional<std::unordered_set<BackingId>> forgotten_;  // since the Finding that there is began
  uint64_t open_bytes_ = 0, closed_bytes_ = 0;
  uint64_t other_bytes_ = 0;  // of those that are not known
};

}  // namespace firn::vfs
