// Directory entries in memory, absent ones included; valid because this process is the store's only writer.
// See SetCache for the rules. A hit costs about a tenth of a get from the store's memory.
#pragma once

#include <string>
#include <string_view>

#include "meta/inode.h"
#include "meta/set_cache.h"

namespace firn::meta {

class DirentCache {
 public:
  struct View {
    InodeId parent;
    std::string_view name;
  };
  struct Key {
    InodeId parent;
    std::string name;
    Key() = default;
    explicit Key(const View& view) : parent(view.parent), name(view.name) {}
    friend bool operator==(const Key& key, const View& view) {
      return key.parent == view.parent && key.name == view.name;
    }
  };
  using Cache = SetCache<Key, View, Dirent>;

  explicit DirentCache(size_t entries) : cache_(entries, "names") {}

  bool enabled() const { return cache_.enabled(); }
  // A found entry whose inode is 0 says that the name does not exist.
  std::optional<Dirent> find(InodeId parent, std::string_view name) {
    return cache_.find(hash(parent, name), {parent, name});
  }
  Cache::Ticket ticket(InodeId parent, std::string_view name) { return cache_.ticket(hash(parent, name)); }
  void fill(InodeId parent, std::string_view name, Dirent dirent, Cache::Ticket ticket) {
    cache_.fill(hash(parent, name), {parent, name}, dirent, ticket);
  }
  void publish(InodeId parent, std::string_view name, Dirent dirent) {
    cache_.publish(hash(parent, name), {parent, name}, dirent);
  }
  void drop(InodeId parent, std::string_view name) { cache_.drop(hash(parent, name), {parent, name}); }

 private:
  static uint64_t hash(InodeId parent, std::string_view name) {
    uint64_t h = (std::hash<std::string_view>()(name) ^ parent.value) * 0x9E3779B97F4A7C15ULL;
    return h ^ (h >> 32);
  }

  Cache cache_;
};

}  // namespace firn::meta
