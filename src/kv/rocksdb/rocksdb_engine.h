// kv/rocksdb: the embedded engine, a RocksDB database in a folder, written by this process alone.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "kv/kv.h"
#include "kv/shipping.h"

namespace rocksdb {
class Env;
}
namespace firn::io {
class BlockingPool;
}

namespace firn::kv {

struct RocksdbOptions {
  std::string path;
  bool create = false;     // when there is no database at `path`; its parent must exist
  bool read_only = false;  // nothing is written; no lock is taken; commits with writes fail with kReadOnly
  // Whether commits are logged. Without a log a crash leaves some older state, so it is for a database that can be made
  // again from elsewhere: sync() and flush_to_os() then have nothing to do, and every commit counts as synced.
  bool logged = true;
  size_t block_cache_bytes = size_t{256} << 20;
  size_t memtable_bytes = size_t{64} << 20;  // of each; at most three exist
  // So much of the disk, or a fiftieth of it where that is less, is kept for when it is full, in a file beside the
  // database; 0: nothing is.
  uint64_t reserve_bytes = 0;
  // Where disk waits go; must outlive the engine. Null: they block the caller (tools and tests).
  io::BlockingPool* blocking_pool = nullptr;
  // Warnings and errors of the library, one line each; called from any thread. May be empty.
  std::function<void(std::string_view)> log;
  // Another operating system, for tests; must outlive the engine. Null: the real one.
  rocksdb::Env* env = nullptr;
};

// Blocks, for as long as replaying the log takes after a crash (about a second for 100 MB).
// kNotFound: no database and not `create`. kBusy: another process has it open. kCorrupt: stored bytes fail
// verification, or commits that had been synced are missing; the message names the file. Nothing is changed then.
Result<std::unique_ptr<Engine>> open_rocksdb(RocksdbOptions options);

// Makes the database `options.path`, whose parent must exist, of a checkpoint's parts; finish() opens it with
// `options`. There must be no database yet; what an earlier attempt left is replaced.
std::unique_ptr<RestoreTarget> make_rocksdb_restore_target(RocksdbOptions options);

}  // namespace firn::kv
