#include "nfs/mounted.h"

#include <algorithm>

namespace firn::nfs {

void Mounted::add(Entry entry) {
  std::lock_guard lock(mutex_);
  if (std::ranges::find(entries_, entry) != entries_.end()) return;
  entries_.push_back(std::move(entry));
  if (entries_.size() > kMost) entries_.pop_front();
}

void Mounted::remove(const Entry& entry) {
  std::lock_guard lock(mutex_);
  std::erase(entries_, entry);
}

void Mounted::remove_host(const std::string& host) {
  std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&host](const Entry& entry) { return entry.host == host; });
}

std::vector<Mounted::Entry> Mounted::all() const {
  std::lock_guard lock(mutex_);
  return {entries_.begin(), entries_.end()};
}

}  // namespace firn::nfs
