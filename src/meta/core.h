// What all operations share: the engine, the caches and the locks. Private to meta.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"
#include "io/sync.h"
#include "kv/kv.h"
#include "meta/dirent_cache.h"
#include "meta/inode_cache.h"
#include "meta/inode_numbers.h"
#include "meta/lock_table.h"
#include "meta/options.h"

namespace firn::meta {

struct Core {
  Core(kv::Engine& store, const Options& chosen)
      : engine(store),
        options(chosen),
        inodes(chosen.exclusive_owner ? chosen.inode_cache_entries : 0),
        dirents(chosen.exclusive_owner ? chosen.dirent_cache_entries : 0),
        numbers(store) {}

  // Reads of committed state, without locks, through the caches. kStale: no such inode.
  io::Task<Result<Inode>> read_inode(InodeId id);
  // nullopt: no such name.
  io::Task<Result<std::optional<Dirent>>> read_dirent(InodeId parent, std::string_view name);

  // Within a transaction that is as new as now (and not older than a lock that the caller relies on).
  io::Task<Result<Inode>> load_inode(kv::Transaction& transaction, InodeId id, kv::Isolation isolation);
  io::Task<Result<std::optional<Dirent>>> load_dirent(kv::Transaction& transaction, InodeId parent,
                                                      std::string_view name, kv::Isolation isolation);

  Timestamp now() { return options.clock->now(); }
  // With a single writer the locks below keep transactions apart; others must declare what they read.
  kv::Isolation isolation() const {
    return options.exclusive_owner ? kv::Isolation::kSnapshot : kv::Isolation::kSerializable;
  }

  kv::Engine& engine;
  const Options options;
  InodeCache inodes;
  DirentCache dirents;
  InodeNumbers numbers;
  LockTable locks;
  // Held, before any inode's lock, by whoever moves a directory to another parent: so that two such moves cannot
  // make a cycle together.
  io::Mutex tree_mutex;
};

}  // namespace firn::meta
