// OpenFiles: NFS has no open and no close, but the volume has. Files that are read or written stay open for a while, so
// that not every READ and WRITE opens and closes one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "io/sync.h"
#include "nfs/unstable_writes.h"
#include "vfs/volume.h"

namespace firn::nfs {

enum class Purpose : uint8_t { kRead, kWrite };

// One of the files that may be open at once, until it is destroyed.
class FilePlace {
 public:
  FilePlace(std::atomic<size_t>* taken, io::Gate::Entry entry) : taken_(taken), entry_(std::move(entry)) {}
  FilePlace(FilePlace&& other) noexcept
      : taken_(std::exchange(other.taken_, nullptr)), entry_(std::move(other.entry_)) {}
  FilePlace& operator=(FilePlace&&) = delete;
  ~FilePlace() {
    if (taken_) taken_->fetch_sub(1);
  }

 private:
  std::atomic<size_t>* taken_;
  io::Gate::Entry entry_;
};

// An open file of the volume, shared by the calls that use it. The last one to let go closes it, on its own reactor.
class OpenFile {
 public:
  using OnLost = std::function<void()>;

  OpenFile(vfs::Volume& volume, vfs::Handle* handle, const OnLost& on_lost, FilePlace place)
      : volume_(volume), handle_(handle), on_lost_(on_lost), place_(std::move(place)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile();

  vfs::Handle* handle() const { return handle_; }
  UnstableWrites& unstable() { return unstable_; }
  // Closes it now. For whoever is its only owner.
  io::Task<void> close();

 private:
  vfs::Volume& volume_;
  vfs::Handle* handle_;
  const OnLost& on_lost_;
  FilePlace place_;
  UnstableWrites unstable_;
};

// Invariants:
//  1. At most Options::most files are open; each is kept for at most idle_ns after its last use, and a second.
//  2. Of a file one is kept: the one for reading goes when one for writing comes, which reads as well.
//  3. A file is closed when nobody uses it and it is not kept.
// Thread-safe; calls need a current reactor. Permissions have been checked by whoever asks.
class OpenFiles {
 public:
  struct Options {
    vfs::Volume& volume;
    vfs::DoorId door = 0;
    size_t most = 1024;
    int64_t idle_ns = 3'000'000'000;
    // What was written to a file, and acknowledged as not yet stable, may be lost. Called on any reactor.
    std::function<void()> on_lost;
  };
  explicit OpenFiles(Options options) : options_(std::move(options)) {}

  // As Volume::open. kTooManyOpen: so many are in use. kUnavailable once it stops.
  io::Task<Result<std::shared_ptr<OpenFile>>> get(InodeId inode, Purpose purpose);
  // A place for a file that is about to be opened elsewhere, and adopted. As get().
  io::Task<Result<FilePlace>> enter();
  // Keeps a file that was opened for reading and writing.
  void adopt(InodeId inode, vfs::Handle* handle, FilePlace place);
  // Somebody is about to remove it: it is closed now, or when its users are done.
  io::Task<void> forget(InodeId inode);
  bool empty() const;

  // Closes what is idle, in the background, until stop(). On a reactor.
  void start();
  // Closes everything, and waits for its users. On a reactor.
  io::Task<void> stop();

 private:
  using File = std::shared_ptr<OpenFile>;
  struct Kept {
    InodeId inode;
    File file;
    bool writes = false;
    int64_t used_ns = 0;
  };
  using Order = std::list<Kept>;

  File find(InodeId inode, Purpose purpose);
  // The one that is kept from now on: `file`, or one for as much that somebody was quicker with; and which is no
  // longer.
  struct Keeping {
    File kept, replaced;
  };
  Keeping keep(InodeId inode, Purpose purpose, File file);
  Order take_idle(int64_t now_ns);
  // The one that was used the longest time ago and is not any more; none: all are in use.
  Order take_unused();
  io::Task<void> sweep(io::Gate::Entry entry);

  const Options options_;
  io::Gate gate_;  // holds a place for every open file
  std::atomic<size_t> taken_ = 0;
  io::CancelToken stopping_;
  mutable std::mutex mutex_;  // guards the two below; a few instructions. Files are let go outside
  Order order_;               // used last first
  std::unordered_map<InodeId, Order::iterator> kept_;
};

}  // namespace firn::nfs
