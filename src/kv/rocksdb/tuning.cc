#include "kv/rocksdb/tuning.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "kv/rocksdb/insert_hint.h"
#include "kv/rocksdb/ticker_counts.h"

namespace firn::kv::rocks {

namespace {

rocksdb::BlockBasedTableOptions table_options(const RocksdbOptions& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/4);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  // Held by the open tables instead of the cache, so that a read never waits for them: about 1.3 bytes per key.
  table.cache_index_and_filter_blocks = false;
  table.block_size = 8 << 10;
  table.format_version = 5;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.data_block_hash_table_util_ratio = 0.75;
  return table;
}

void set_log(rocksdb::Options& tuned, const RocksdbOptions& options) {
  // Commits reach the operating system by flush_to_os() and sync(), in batches.
  tuned.manual_wal_flush = true;
  // A torn end is cut off. What this mode would drop beyond that, open_rocksdb() detects by the sync marker.
  // (The library recycles log files only in the mode that skips damaged records, which could lose one in the middle.)
  tuned.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  tuned.max_total_wal_size = 4 * options.memtable_bytes;
  tuned.writable_file_max_buffer_size = 1 << 20;
  // Files grow as they are written: reserving a memtable's worth for each log takes a small disk's last space, and an
  // append changes the file's size either way.
  tuned.allow_fallocate = false;
}

void set_memtables(rocksdb::Options& tuned, const RocksdbOptions& options) {
  tuned.write_buffer_size = options.memtable_bytes;
  // Up to 3 the library never slows writes by memtable count, it only stops them; so below for level 0 and debt.
  // A stop is waited out on the blocking pool; a slowed write would sleep on the reactor's thread.
  tuned.max_write_buffer_number = 3;
  tuned.level0_file_num_compaction_trigger = 4;
  tuned.level0_slowdown_writes_trigger = 36;
  tuned.level0_stop_writes_trigger = 36;
  tuned.soft_pending_compaction_bytes_limit = 0;
  tuned.hard_pending_compaction_bytes_limit = uint64_t{256} << 30;
  tuned.memtable_whole_key_filtering = true;
  tuned.memtable_prefix_bloom_size_ratio = 0.02;
  tuned.memtable_insert_with_hint_prefix_extractor = std::make_shared<InsertHintPrefix>();
  // Writers are serialised by the commit mutex.
  tuned.allow_concurrent_memtable_write = false;
  tuned.enable_write_thread_adaptive_yield = false;
}

void set_background(rocksdb::Options& tuned, const RocksdbOptions& options) {
  tuned.max_background_jobs = 2;
  tuned.max_subcompactions = 1;
  tuned.bytes_per_sync = 1 << 20;
  tuned.target_file_size_base = 64 << 20;
  tuned.max_bytes_for_level_base = 4 * options.memtable_bytes;
  tuned.level_compaction_dynamic_level_bytes = true;
  tuned.compression_per_level = {rocksdb::kNoCompression,  rocksdb::kNoCompression,  rocksdb::kNoCompression,
                                 rocksdb::kLZ4Compression, rocksdb::kLZ4Compression, rocksdb::kLZ4Compression,
                                 rocksdb::kLZ4Compression};
  tuned.stats_dump_period_sec = 0;
  tuned.stats_persist_period_sec = 0;
}

}  // namespace

rocksdb::Options tuned_options(const RocksdbOptions& options, std::shared_ptr<rocksdb::Logger> logger) {
  rocksdb::Options tuned;
  if (options.env != nullptr) tuned.env = options.env;
  tuned.create_if_missing = options.create;
  tuned.info_log = std::move(logger);
  tuned.statistics = std::make_shared<TickerCounts>();
  tuned.paranoid_checks = true;
  tuned.max_open_files = -1;
  // A checkpoint carries the manifest whole, and by default it grows to 1 GiB before it is written anew.
  tuned.max_manifest_file_size = 16 << 20;
  tuned.avoid_unnecessary_blocking_io = true;  // freeing an iterator must not delete files on the reactor
  tuned.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(options)));
  set_log(tuned, options);
  set_memtables(tuned, options);
  set_background(tuned, options);
  return tuned;
}

}  // namespace firn::kv::rocks
