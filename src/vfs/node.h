// Node: what the volume knows in memory of an inode that a door's kernel holds or somebody has open.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "data/store.h"
#include "io/sync.h"
#include "kv/kv.h"
#include "meta/types.h"
#include "tier/cold_file.h"
#include "vfs/memory_object.h"
#include "vfs/size_predictor.h"
#include "vfs/write_gate.h"
#include "vfs/written_blocks.h"

namespace firn::vfs {

// The shared state of a regular file that is open. Invariants:
//  1. `object` is set while a writer has the file open, and until the last close after that: it then holds the newest
//  content.
//  2. `lent` says that the object is a scratch file (meta::Content invariant 3) or in memory; otherwise it is the
//  settled backing.
//  3. `live`: the object is newer than the record. Then meta::Content::live of the stored record is set; it stays set
//  after the
//     last close until the backing's bytes are known to be on the disk (VolumeImpl::unsynced_).
//  4. The kernel forbids cached and passthrough opens of one inode at a time: cached_opens == 0 || passthrough_opens ==
//  0.
//  5. `memory`, where set, is `object`: a file that is expected to stay small. Its record has no backing and is not
//  live: a crash finds what was last saved of it. It gets a scratch file when it grows (VolumeImpl::spill).
//  6. base_mtime and base_atime are the object's times when record and object last agreed: if the object's differ, they
//  are newer.
//  7. `cold`: the record is evicted, and the file open for reading only. `object` is its backing, which `cold` alone
//  reads.
// Changed only under Node::mutex; read under Node::state_mutex too.
struct OpenState {
  uint32_t opens = 0;
  uint32_t cached_opens = 0;  // by doors that keep pages
  uint32_t passthrough_opens = 0;
  uint32_t passthrough_writers = 0;  // of those, for writing
  data::ObjectRef object;
  std::shared_ptr<MemoryObject> memory;
  std::shared_ptr<tier::ColdFile> cold;
  std::optional<uint64_t> cold_version;  // meta::Content::uploaded_version that it is of (VolumeOptions::follows)
  bool lent = false;
  bool live = false;
  Timestamp base_mtime, base_atime;
  // What the inline value last held of a lent object. Its bytes are compared: stores to a mapping do not always change
  // the mtime.
  bool shadowed = false;
  // The record has an inline value, which a power cut would bring back: it goes only once the object is synced.
  bool inline_behind = false;
  uint64_t shadow_hash = 0;
  uint64_t shadow_bytes = 0;
  // When inline content was read for the first time since it changed (relatime); saved at the last close.
  std::optional<Timestamp> pending_atime;
  Timestamp synced_mtime;     // the settled object's mtime at its last background sync
  bool lingering = false;     // closed, but the object is still mapped or not yet let go by the kernel: being retried
  uint64_t syncs_failed = 0;  // of the object; guarded by Node::mutex, like the next
  Status sync_failure;        // the last one
  bool seen_by_tick = false;  // survived one round of the background sync: worth making durable
};

// What tells versions of a file apart that is written elsewhere.
struct FollowedVersion {
  uint64_t uploaded = 0;
  uint64_t bytes = 0;
  Timestamp mtime, ctime;
  friend bool operator==(const FollowedVersion&, const FollowedVersion&) = default;
};

struct Node {
  explicit Node(InodeId id) : inode(id) {}

  const InodeId inode;
  io::Mutex mutex;                  // serialises open, close, truncate, fsync; held across awaits
  std::mutex state_mutex;           // guards `open` against readers that do not hold `mutex`; a few instructions
  WriteGate writes;                 // shut by who holds `mutex` and needs the content to stay as it is
  std::unique_ptr<OpenState> open;  // null: nobody has it open
  std::optional<FileClass> kind;    // of a file made here: its closes teach what became of it; guarded by `mutex`
  InodeId made_in;                  // likewise, in a volume with colder tiers: the directory, and the name in it
  std::string made_as;
  std::atomic<uint64_t> closings = 0;    // how often `open` went: a record read before that may be out of date
  std::atomic<kv::Version> version = 0;  // newest commit that concerns this inode, as far as this process knows
  std::atomic<bool> orphan = false;      // no name is left
  // Who makes it durable in the colder tiers (VolumeOptions::durable_in_tiers), from before they have `mutex`: they may
  // hold it until a tier that is away answers.
  std::atomic<uint32_t> senders = 0;
  std::atomic<bool> page_cache_valid = false;  // what the door's page cache may hold is still the content

  // What the object may hold that has not been sent (VolumeOptions::durable_in_tiers); guarded by state_mutex.
  WrittenBlocks unsent;
  FollowedVersion followed;               // what was last opened (VolumeOptions::follows); guarded by state_mutex
  std::unique_ptr<meta::Attr> tombstone;  // under state_mutex: what it was, once its records are gone

  // Guarded by the table's shard mutex.
  uint64_t pins = 0;  // how often doors handed it to their kernels
  uint32_t refs = 0;  // NodeRefs alive
};

class NodeTable;

// Keeps a node in the table. Move-only.
class NodeRef {
 public:
  NodeRef() = default;
  NodeRef(NodeTable* table, Node* node) : table_(table), node_(node) {}
  NodeRef(NodeRef&& other) noexcept : table_(other.table_), node_(std::exchange(other.node_, nullptr)) {}
  NodeRef& operator=(NodeRef&& other) noexcept {
    std::swap(table_, other.table_);
    std::swap(node_, other.node_);
    return *this;
  }
  ~NodeRef();
  Node* operator->() const { return node_; }
  Node& operator*() const { return *node_; }
  explicit operator bool() const { return node_ != nullptr; }
  NodeRef clone() const;

 private:
  NodeTable* table_ = nullptr;
  Node* node_ = nullptr;
};

// Thread-safe.
class NodeTable {
 public:
  // Makes the node when there is none.
  NodeRef acquire(InodeId inode);
  // Empty when there is none.
  NodeRef find(InodeId inode);
  void pin(InodeId inode);
  // Takes `count` pins off. Yields the node when it is an orphan that nobody holds any more: the caller reclaims it.
  NodeRef unpin(InodeId inode, uint64_t count);
  // True when `node` has no pin and no reference but the caller's.
  bool unused_but_for_caller(const Node& node);
  size_t size() const;

 private:
  friend class NodeRef;
  static constexpr size_t kShards = 64;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<InodeId, std::unique_ptr<Node>> nodes;
  };

  Shard& shard(InodeId inode) { return shards_[inode.value % kShards]; }
  void drop(Node* node);

  std::array<Shard, kShards> shards_;
};

}  // namespace firn::vfs
