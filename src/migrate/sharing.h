// Equal contents: a file that was just filled lets go of its blocks for those of an equal one, where the volume's disk
// can share blocks among files (docs/decisions/0031).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "migrate/known_contents.h"
#include "migrate/notes.h"
#include "migrate/options.h"
#include "migrate/source.h"
#include "vfs/volume.h"

namespace firn::migrate {

// Thread-safe.
class Sharing {
 public:
  Sharing(const Parts& parts, Progress& progress, const Notes& notes)
      : parts_(parts), progress_(progress), notes_(notes) {}

  // From an earlier run, oldest first.
  void remember(const ContentHash& content, InodeId inode) {
    (void)known_.replace(content, known_.find_or_add(content, inode), inode);
  }

  // The file behind `handle`, which is the migration's alone as yet, holds all of the entry. Sets the entry's
  // `is_equal` and `shared_bytes`. Changes no content; where sharing fails the file keeps its blocks.
  io::Task<void> share(vfs::Handle* handle, ContentHash content, SourceEntry& entry);

  // Why something that was equal is not shared; empty: all is.
  std::string reason() const;

 private:
  static constexpr uint64_t kStepBytes = 64 << 20;  // between looks at Progress::stop

  // Bytes that share blocks now. kStale: there is no such file any more.
  io::Task<Result<uint64_t>> share_with(InodeId known, vfs::Handle* handle);
  // These add to `shared` what they have shared, also when they fail.
  io::Task<Result<void>> share_data(io::File& source, io::File& target, uint64_t& shared);
  io::Task<Result<void>> share_extent(io::File& source, io::File& target, Extent extent, uint64_t& shared);
  void note_failure(std::string reason);

  const Parts& parts_;
  Progress& progress_;
  const Notes& notes_;
  KnownContents known_;
  std::atomic<bool> can_share_ = true;  // until the disk says otherwise, for good
  mutable std::mutex reason_mutex_;     // guards reason_
  std::string reason_;
};

}  // namespace firn::migrate
