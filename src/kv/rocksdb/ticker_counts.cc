#include "kv/rocksdb/ticker_counts.h"

namespace firn::kv::rocks {
namespace {

metrics::Counter& counter(const char* name, const char* help) {
  return metrics::process_registry().counter(name, help);
}

}  // namespace

TickerCounts::TickerCounts()
    : cache_hits_(counter("firn_kv_block_cache_hits_total", "Blocks of tables that the block cache had.")),
      cache_misses_(counter("firn_kv_block_cache_misses_total", "Blocks of tables that were read from their files.")),
      log_bytes_(counter("firn_kv_log_bytes_total", "Bytes of commits written to the log.")),
      flushed_bytes_(counter("firn_kv_flushed_bytes_total", "Bytes of memtables written to tables.")),
      compaction_read_bytes_(counter("firn_kv_compaction_read_bytes_total", "Bytes of tables read to merge them.")),
      compaction_written_bytes_(counter("firn_kv_compaction_written_bytes_total", "Bytes of merged tables.")) {
  set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
}

metrics::Counter* TickerCounts::counter_of(uint32_t ticker) const {
  switch (ticker) {
    case rocksdb::BLOCK_CACHE_HIT:
      return &cache_hits_;
    case rocksdb::BLOCK_CACHE_MISS:
      return &cache_misses_;
    case rocksdb::WAL_FILE_BYTES:
      return &log_bytes_;
    case rocksdb::FLUSH_WRITE_BYTES:
      return &flushed_bytes_;
    case rocksdb::COMPACT_READ_BYTES:
      return &compaction_read_bytes_;
    case rocksdb::COMPACT_WRITE_BYTES:
      return &compaction_written_bytes_;
    default:
      return nullptr;
  }
}

void TickerCounts::recordTick(uint32_t ticker, uint64_t count) {
  if (metrics::Counter* counter = counter_of(ticker)) counter->add(count);
}

uint64_t TickerCounts::getTickerCount(uint32_t ticker) const {
  const metrics::Counter* counter = counter_of(ticker);
  return counter ? counter->value() : 0;
}

}  // namespace firn::kv::rocks
