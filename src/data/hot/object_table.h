// ObjectTable: every object there is, by id; shared by all who have its file open, and the recently used kept open.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "data/store.h"
#include "io/sync.h"

namespace firn::data::internal {

class ObjectTable;

class HotObject final : public Object {
 public:
  HotObject(BackingId id, std::unique_ptr<io::File> file, uint64_t name_ticket, std::shared_ptr<ObjectTable> table)
      : id_(id), name_ticket_(name_ticket), file_(std::move(file)), table_(std::move(table)) {}
  // Leaves the table, then tells the passthrough closer, then closes the file.
  ~HotObject() override;

  BackingId id() const override { return id_; }
  io::File& file() override { return *file_; }
  int32_t passthrough_id() const override { return passthrough_id_.load(std::memory_order_relaxed); }
  void set_passthrough_id(int32_t id) override { passthrough_id_.store(id, std::memory_order_relaxed); }

  // FolderSync's, of a moment when the name was there.
  uint64_t name_ticket() const { return name_ticket_; }

 private:
  friend class ObjectTable;
  const BackingId id_;
  const uint64_t name_ticket_;
  std::atomic<int32_t> passthrough_id_ = 0;
  bool removed_ = false;  // guarded by the table's mutex
  std::unique_ptr<io::File> file_;
  const std::shared_ptr<ObjectTable> table_;  // objects may outlive the store
};

// Thread-safe. Objects are destroyed outside the lock.
class ObjectTable : public std::enable_shared_from_this<ObjectTable> {
 public:
  // One open(2) shared by all who ask meanwhile. The first asker performs it; the others wait for `done`.
  struct Opening {
    io::Event done;
    Result<ObjectRef> result;
    bool removed = false;  // guarded by the table's mutex
  };
  struct Found {
    ObjectRef object;                  // open already, or
    std::shared_ptr<Opening> opening;  // to be awaited, or
    bool must_open = false;            // to be performed by the caller, who then calls finish_opening()
  };

  explicit ObjectTable(size_t recent_limit) : recent_limit_(recent_limit) {}

  Found find(BackingId id);
  void finish_opening(BackingId id, const std::shared_ptr<Opening>& opening, Result<ObjectRef> result);
  // Makes an object for a file that was just opened, and lists it.
  std::shared_ptr<HotObject> add(BackingId id, std::unique_ptr<io::File> file, uint64_t name_ticket);
  // Keeps `object` open for a while after its last user is gone. The least recently kept goes first.
  void keep(const ObjectRef& object);
  // The file is about to be unlinked: it is kept open no longer than its users need it.
  void forget(BackingId id);
  // Drops all but the `count` most recently kept.
  void trim_recent(size_t count);
  // Objects that are open, the kept ones included.
  size_t size() const;

  void set_passthrough_closer(std::function<void(int32_t)> closer);
  // Runs in the background what closing a big removed file takes; without it, closing happens where the last user
  // leaves.
  void set_background_closer(std::function<void(std::unique_ptr<io::File>)> closer);

 private:
  friend class HotObject;
  struct Entry {
    std::weak_ptr<HotObject> object;
    std::shared_ptr<Opening> opening;
    std::list<ObjectRef>::iterator kept;
    bool is_kept = false;
  };

  void destroyed(HotObject& object);
  void trim_locked(size_t count, std::vector<ObjectRef>& dropped);

  const size_t recent_limit_;
  mutable std::mutex mutex_;  // guards entries_ and recent_
  std::unordered_map<BackingId, Entry> entries_;
  std::list<ObjectRef> recent_;  // most recently kept first

  std::mutex closers_mutex_;  // held while a closer runs, so that setting one waits for the old one
  std::function<void(int32_t)> passthrough_closer_;
  std::function<void(std::unique_ptr<io::File>)> background_closer_;
};

}  // namespace firn::data::internal
