// Mounted: which clients say that they have mounted what, for people who ask (showmount). Nothing depends on it.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace firn::nfs {

// Thread-safe.
class Mounted {
 public:
  static constexpr size_t kMost = 1024;  // the oldest ones are forgotten
  struct Entry {
    std::string host, path;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  void add(Entry entry);
  void remove(const Entry& entry);
  void remove_host(const std::string& host);
  std::vector<Entry> all() const;

 private:
  mutable std::mutex mutex_;  // guards entries_
  std::deque<Entry> entries_;
};

}  // namespace firn::nfs
