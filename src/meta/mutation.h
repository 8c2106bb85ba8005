// One attempt at changing the namespace: its locks, what it read, what it will write. Private to meta.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

#include "kv/kv.h"
#include "meta/core.h"
#include "meta/event_log.h"
#include "meta/usage.h"
#include "meta/witness.h"

namespace firn::meta {

namespace internal {
enum class Fate : uint8_t { kUnchanged, kPut, kErase };
// An inode in a mutation, and what it was before: the difference decides about the records that follow it.
struct Slot {
  Inode inode;
  Fate fate = Fate::kUnchanged;
  bool existed = false;
  bool was_orphan = false;
  bool was_live = false;
  bool touched = false;  // a directory whose names change
  Version was;
  UsageShare was_share = {};
};
}  // namespace internal

// Usage: lock(), read with inode() and dirent(), change, commit(). Until commit() succeeds nothing is visible.
// Invariants, kept for every inode that is written here:
//  1. There is an orphan record exactly when nlink is 0.
//  2. There is a live record exactly when its content is live.
//  3. The usage counters follow the inodes: share_of().
//  4. A change that moves the ctime makes it later than it was, also within one tick of the clock: so do a directory's
//     changes its mtime. Only a clock that was set back goes back.
// Not thread-safe. With an exclusive owner, everything that is read must be locked, or immutable, or hold the tree
// mutex: reads may come from the caches and do not conflict.
class Mutation {
 public:
  explicit Mutation(Core& core) : core_(core), locks_(core.locks) {}

  // Waits for the locks of these inodes. Nothing may be locked yet.
  io::Task<void> lock(InodeList inodes) { return locks_.lock(inodes); }
  // Adds a lock without waiting; what was read under the other locks stays valid. False: restart(), lock() all at once.
  bool try_lock(InodeId inode);
  // Forgets everything and releases the locks.
  void restart();

  // The inode, to read, and to change if update() follows. The pointer stays valid until restart(). kStale: no such
  // inode.
  io::Task<Result<Inode*>> inode(InodeId id);
  // The same for the parent of a name: kNotFound when there is no such inode.
  io::Task<Result<Inode*>> parent(InodeId id);
  // An inode that is not locked and not to be changed.
  io::Task<Result<Inode>> read(InodeId id);
  // nullopt: no such name. The parent must be locked.
  io::Task<Result<std::optional<Dirent>>> dirent(InodeId parent, std::string_view name);

  // The inode is to be written at commit.
  void update(Inode* inode);
  // A new inode, to be written at commit.
  Inode* add(Inode inode);
  // The inode's record is to be removed at commit.
  void erase(Inode* inode);
  // `name` must stay valid until commit().
  void put_dirent(InodeId parent, std::string_view name, Dirent dirent);
  void erase_dirent(InodeId parent, std::string_view name) { put_dirent(parent, name, Dirent{}); }
  // mtime and ctime are now; to be written at commit.
  void touch(Inode* directory);

  // What commit() logs of this change, with what `inode` is by then: at most once. The event's place is `at`; without
  // one it is the name that the inode is known by. An inode without any name is nobody's business.
  struct Noted {
    EventKind kind = EventKind::kContent;
    const Inode* inode = nullptr;  // of this mutation, as `other`
    const Credentials* who = nullptr;
    EventPlaceOf<std::string_view> at, from;
    const Inode* other = nullptr;
    std::string_view xattr;
  };
  void note(const Noted& change) {
    noted_ = change;
    if (change.who != nullptr) witness_ = change.who->witness;
  }
  // Who is told by commit(), where nobody is noted.
  void set_witness(Witness* witness) { witness_ = witness; }

  // For keys other than inodes and directory entries.
  kv::Transaction& transaction();
  kv::Isolation isolation() const { return core_.isolation(); }
  Core& core() { return core_; }
  // The time of this operation: the same for all that it touches. Taken at the first call, so under the locks: an
  // inode's times never run backwards.
  Timestamp now() {
    if (!now_) now_ = core_.now();
    return *now_;
  }

  // That time is later than this one, unless the clock was set back.
  void come_after(Timestamp time) {
    if (is_within_tick(time)) now_ = next_after(time);
  }

  // kConflict: nothing was applied, try again with a new Mutation.
  io::Task<Result<void>> commit();

 private:
  using Fate = internal::Fate;
  using Slot = internal::Slot;
  struct DirentChange {
    InodeId parent;
    std::string_view name;
    Dirent dirent;
  };
  // rename: two parents, what moves, what it replaces.
  static constexpr size_t kMaxInodes = 4;
  static constexpr size_t kMaxDirents = 2;

  Slot& slot_of(Inode* inode);
  Slot& new_slot(Inode inode);
  // Whether it is not before now(), and no further ahead than stamps get that are kept apart.
  bool is_within_tick(Timestamp time) { return time >= now() && time.seconds <= now().seconds + 1; }
  void keep_times_apart(Slot& slot);
  void write_dirents();
  void write_inode(const Slot& slot);
  void write_usage();
  // Writes the event; its number, 0: there is none.
  uint64_t write_event();
  void publish();
  void tell_witness();
  void drop_from_caches();

  Core& core_;
  LockSet locks_;
  std::optional<Timestamp> now_;
  Noted noted_;
  Witness* witness_ = nullptr;
  std::unique_ptr<kv::Transaction> transaction_;  // begun at the first use
  std::array<std::optional<Slot>, kMaxInodes> slots_;
  std::array<DirentChange, kMaxDirents> dirents_;
  size_t slot_count_ = 0;
  size_t dirent_count_ = 0;
};

// Runs `body(mutation)`, which commits, until it does not conflict. Body: Mutation& -> io::Task<Result<T>>; what it
// refers to outlives the returned task.
template <class Body>
std::invoke_result_t<Body, Mutation&> mutate(Core& core, Body body) {
  for (int attempt = 1;; ++attempt) {
    {
      Mutation mutation(core);
      auto result = co_await body(mutation);
      if (result || result.error().code() != Code::kConflict || attempt == kv::kMaxAttempts) co_return result;
    }
    co_await kv::backoff(attempt);
  }
}

}  // namespace firn::meta
