// Refiller: makes scratch files in the background, so that lending one costs no disk access.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/hot/folder_sync.h"
#include "data/hot/id_source.h"
#include "data/hot/object_table.h"
#include "data/hot/scratch_pool.h"
#include "io/disk.h"
#include "io/sync.h"

namespace firn::data::internal {

// Thread-safe. Everything it is given must outlive it; `gate` is closed before it is destroyed.
class Refiller {
 public:
  // Files of one batch; they lie in one folder.
  static constexpr size_t kBatchFiles = 256;
  // Files being created at once. They share a folder, whose lock the kernel takes for each: more would not help.
  static constexpr size_t kCreators = 4;

  struct Parts {
    io::Disk& disk;
    const std::string& root;
    io::Gate& gate;
    ScratchPool& pool;
    ObjectTable& table;
    FolderSync& folders;
    IdSource& ids;
    std::function<void(std::vector<ObjectRef>)> discard;  // removes what the pool has no room for
  };
  explicit Refiller(Parts parts) : parts_(std::move(parts)) {}

  // Starts a refill on the current reactor unless one runs, or the last one failed a moment ago and the caller does not
  // insist.
  void kick(bool insist);

 private:
  struct Batch;
  io::Task<void> run(io::Gate::Entry entry);
  io::Task<Status> make_batch(size_t limit);
  void sync_in_background(unsigned folder);
  io::Task<void> sync_folder(io::Gate::Entry entry, unsigned folder);
  io::Task<void> create_files(std::shared_ptr<Batch> batch);
  io::Task<Result<ObjectRef>> create_file(BackingId id);

  Parts parts_;
  std::atomic<bool> syncing_ = false;  // a background sync is under way
};

}  // namespace firn::data::internal
