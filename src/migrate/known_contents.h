// Which of the volume's files has a content that a migration comes across again.
#pragma once

#include <cstddef>
#include <cstring>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "base/ids.h"
#include "migrate/content_hash.h"

namespace firn::migrate {

// A belief: the file may have been changed, or removed, since. Thread-safe.
class KnownContents {
 public:
  // Memory, about. Beyond it what has been known longest is forgotten.
  static constexpr size_t kMaxBytes = 64 << 20;
  static constexpr size_t kEntryBytes = 88;  // key and value, a list's and a bucket's pointers, the allocator's share

  explicit KnownContents(size_t max_entries = kMaxBytes / kEntryBytes) : max_entries_(max_entries) {}

  // The file that is known to have it; `inode` itself where none was, and from now on is.
  InodeId find_or_add(const ContentHash& content, InodeId inode);
  // `inode` instead of `was`, which has it no more. The file that is known now: another, where somebody was faster.
  InodeId replace(const ContentHash& content, InodeId was, InodeId inode);

 private:
  struct Hash {
    size_t operator()(const ContentHash& content) const {
      size_t value = 0;
      std::memcpy(&value, content.data(), sizeof value);
      return value;
    }
  };
  // Adds it where it is not known.
  InodeId& file_locked(const ContentHash& content, InodeId inode);

  const size_t max_entries_;
  std::mutex mutex_;  // guards what follows
  std::unordered_map<ContentHash, InodeId, Hash> files_;
  std::deque<const ContentHash*> oldest_first_;  // keys of files_
};

}  // namespace firn::migrate
