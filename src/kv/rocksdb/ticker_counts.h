// TickerCounts: of the hundreds of things that the library can count, those that our metrics tell. The rest costs a
// call that returns at once, and no clock is read.
#pragma once

#include <rocksdb/statistics.h>

#include "base/metrics.h"

namespace firn::kv::rocks {

// Counts in the process's registry. Thread-safe.
class TickerCounts final : public rocksdb::Statistics {
 public:
  TickerCounts();

  const char* Name() const override { return "firn"; }
  void recordTick(uint32_t ticker, uint64_t count) override;
  uint64_t getTickerCount(uint32_t ticker) const override;
  // What only grows is not set.
  void setTickerCount(uint32_t, uint64_t) override {}
  uint64_t getAndResetTickerCount(uint32_t ticker) override { return getTickerCount(ticker); }
  void histogramData(uint32_t, rocksdb::HistogramData*) const override {}
  void recordInHistogram(uint32_t, uint64_t) override {}
  bool HistEnabledForType(uint32_t) const override { return false; }

 private:
  metrics::Counter* counter_of(uint32_t ticker) const;

  metrics::Counter& cache_hits_;
  metrics::Counter& cache_misses_;
  metrics::Counter& log_bytes_;
  metrics::Counter& flushed_bytes_;
  metrics::Counter& compaction_read_bytes_;
  metrics::Counter& compaction_written_bytes_;
};

}  // namespace firn::kv::rocks
