// Decoded inodes in memory; valid because this process is the store's only writer. See SetCache for the rules.
#pragma once

#include "meta/inode.h"
#include "meta/set_cache.h"

namespace firn::meta {

class InodeCache {
 public:
  using Cache = SetCache<InodeId, InodeId, Inode>;

  explicit InodeCache(size_t entries) : cache_(entries, "inodes") {}

  bool enabled() const { return cache_.enabled(); }
  std::optional<Inode> find(InodeId id) { return cache_.find(hash(id), id); }
  Cache::Ticket ticket(InodeId id) { return cache_.ticket(hash(id)); }
  void fill(const Inode& inode, Cache::Ticket ticket) {
    cache_.fill(hash(inode.attr.inode), inode.attr.inode, inode, ticket);
  }
  void publish(const Inode& inode) { cache_.publish(hash(inode.attr.inode), inode.attr.inode, inode); }
  void drop(InodeId id) { cache_.drop(hash(id), id); }

 private:
  static uint64_t hash(InodeId id) {
    uint64_t h = id.value * 0x9E3779B97F4A7C15ULL;
    return h ^ (h >> 32);
  }

  Cache cache_;
};

}  // namespace firn::meta
