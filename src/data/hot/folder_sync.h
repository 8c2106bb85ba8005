// FolderSync: makes names durable, with one directory sync for everyone who waits at the same time.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "base/status.h"
#include "data/hot/layout.h"
#include "io/disk.h"
#include "io/sync.h"

namespace firn::data::internal {

// Thread-safe. A ticket stands for a moment: every name that was in the folder when it was drawn is durable once the
// folder has been synced since.
class FolderSync {
 public:
  // `disk` and `root` must outlive this.
  FolderSync(io::Disk& disk, const std::string& root) : disk_(disk), root_(root) {}

  // Draw it after the name was created.
  uint64_t ticket(unsigned folder) { return folders_[folder].issued.fetch_add(1) + 1; }
  bool is_durable(unsigned folder, uint64_t ticket) const { return folders_[folder].synced.load() >= ticket; }
  // No disk access when is_durable() already. A caller whose shared sync failed tries again itself.
  io::Task<Result<void>> sync(unsigned folder, uint64_t ticket);

 private:
  struct Folder {
    std::atomic<uint64_t> issued = 0;
    std::atomic<uint64_t> synced = 0;
    io::Mutex syncing;  // held while the disk syncs: who waits for it is usually served by the next holder's sync
  };

  io::Disk& disk_;
  const std::string& root_;
  std::array<Folder, kFolders> folders_;
};

}  // namespace firn::data::internal
