// PackingOrder: in which order files that wait go into blobs: those of a directory next to one another, by their names.
// So they are read again with few requests (blob_readahead.h), in whatever order they were written.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "meta/tiering.h"

namespace firn::tier {

// Thread-safe. A hint, in memory: what is not known, for instance after a restart, goes in the order of closing.
class PackingOrder {
 public:
  static constexpr size_t kMaxFiles = 1 << 16;  // when there are more, all are forgotten

  // The file has been made there, under that name.
  void note(InodeId inode, InodeId directory, std::string name);
  void forget(InodeId inode);
  // Directories in the order of what has waited longest in each.
  void sort(std::vector<meta::Pending>& files) const;

 private:
  struct Place {
    InodeId directory;
    std::string name;
  };

  mutable std::mutex mutex_;  // guards the map
  std::unordered_map<InodeId, Place> places_;
};

}  // namespace firn::tier
