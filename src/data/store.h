// data::Store: the bytes of regular files that are not inline. data/hot keeps each in a sparse file on the
// local disk; a later data/chain keeps them on storage servers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "io/disk.h"
#include "io/task.h"

namespace firn::data {

// An open backing: shared by everyone who has its file open. Thread-safe; calls need a current reactor.
// The semantics of the calls are io::File's.
class Object {
 public:
  virtual ~Object() = default;

  virtual BackingId id() const = 0;
  virtual io::File& file() = 0;
  // Registered with the FUSE connection for passthrough: the door keeps its backing id here. 0: not registered.
  virtual int32_t passthrough_id() const = 0;
  virtual void set_passthrough_id(int32_t id) = 0;
};

using ObjectRef = std::shared_ptr<Object>;

struct StoreStatistics {
  uint64_t scratch_ready = 0;    // lendable at once
  uint64_t scratch_waiting = 0;  // returned, not yet safe to lend again
  uint64_t open_objects = 0;
};

// Thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  // An empty scratch file for a file that is being written: from a pool, so that creating a small file costs no
  // file on the disk. Null when the pool is empty (a refill is under way) and `wait` is false.
  // The caller records it (meta::Content, unsettled) before writing to it.
  virtual io::Task<Result<ObjectRef>> lend(bool wait) = 0;
  // Same without waiting or suspending; null when the pool is empty.
  virtual ObjectRef try_lend() = 0;
  // Back to the pool, for a scratch file whose content is elsewhere now, or void. Its bytes stay until make_ready(): a
  // crash may bring back the records that referred to it.
  virtual void give_back(ObjectRef object) = 0;
  // What was given back since the last call. The owner makes sure that no record refers to it any more, not even after
  // a crash of this process, and then passes it to make_ready().
  virtual std::vector<ObjectRef> take_waiting() = 0;
  // Empties the objects and lends them again.
  virtual io::Task<void> make_ready(std::vector<ObjectRef> objects) = 0;

  // Opens an existing backing (shared when it is open already). kNotFound when its file is gone.
  virtual io::Task<Result<ObjectRef>> open(BackingId id) = 0;
  // Size and times of a backing, open or not. kNotFound when its file is gone.
  virtual io::Task<Result<io::FileStat>> stat(BackingId id) = 0;
  // The object is a file's content from now on; its name survives a power cut once this returned
  // (the directory is synced, shared among callers). Does not sync its data.
  virtual io::Task<Result<void>> settle(ObjectRef object) = 0;
  // Removes a backing for good. No-op when it is gone. Space comes back when the last ObjectRef is dropped.
  virtual io::Task<Result<void>> remove(BackingId id) = 0;
  // Every backing file there is, in no order; for recovery and fsck.
  virtual io::Task<Result<std::vector<BackingId>>> list() = 0;

  // After recovery: backings that `is_referenced` denies become scratch files or are removed. Then the pool fills.
  virtual io::Task<Result<void>> start(std::function<bool(BackingId)> is_referenced) = 0;
  virtual io::Task<void> stop() = 0;

  // Everything written to any backing so far, and their names, survive a power cut once this returned (syncfs).
  virtual io::Task<Result<void>> sync_all() = 0;

  virtual StoreStatistics statistics() const = 0;
  virtual io::Task<Result<io::DiskUsage>> usage() = 0;

  // Called with an object's passthrough id when the object is closed or destroyed; the FUSE door unregisters it.
  virtual void set_passthrough_closer(std::function<void(int32_t)> closer) = 0;
};

}  // namespace firn::data
