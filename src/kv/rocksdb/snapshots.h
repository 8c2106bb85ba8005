// Snapshots shared by all transactions that begin between the same two commits.
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "kv/kv.h"

namespace firn::kv::rocks {

// Thread-safe. Outlives every Ref.
//
// A version is the library's sequence number after a commit. A snapshot carries the number it was taken at, and the
// library publishes a number only once the whole batch is readable; so snapshot and version cannot disagree.
class Snapshots {
  struct Shared {
    const rocksdb::Snapshot* snapshot;
    Version version;
    std::atomic<uint32_t> references;
  };

 public:
  explicit Snapshots(rocksdb::DB* db) : db_(db) {}
  ~Snapshots() { drop_cached(); }

  class Ref {
   public:
    Ref() = default;
    Ref(Ref&& other) noexcept : owner_(other.owner_), shared_(std::exchange(other.shared_, nullptr)) {}
    Ref& operator=(Ref&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(shared_, other.shared_);
      return *this;
    }
    ~Ref() {
      if (shared_ != nullptr) owner_->release(shared_);
    }
    explicit operator bool() const { return shared_ != nullptr; }
    const rocksdb::Snapshot* snapshot() const { return shared_->snapshot; }
    Version version() const { return shared_->version; }

   private:
    friend class Snapshots;
    Ref(Snapshots* owner, Shared* shared) : owner_(owner), shared_(shared) {}
    Snapshots* owner_ = nullptr;
    Shared* shared_ = nullptr;
  };

  // The state after the newest commit.
  Ref acquire();
  // Forgets the snapshot kept for the next acquire(), so that an idle engine does not pin old states.
  void drop_cached();

 private:
  void release(Shared* shared);

  rocksdb::DB* db_;
  std::mutex current_mutex_;  // guards current_, which holds one reference
  Shared* current_ = nullptr;
};

}  // namespace firn::kv::rocks
