// Metrics: counters, gauges and histograms that cost a few nanoseconds on the hot path, and their registry.
// All of it is thread-safe. Metrics live as long as their registry.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firn::metrics {

// Threads spread over this many cache lines, so that cores do not fight for one.
inline constexpr size_t kShards = 8;
// This thread's shard, in [0, kShards).
size_t shard_index();

// Only grows.
class Counter {
 public:
  void add(uint64_t count = 1) { shards_[shard_index()].value.fetch_add(count, std::memory_order_relaxed); }
  uint64_t value() const;

 private:
  struct alignas(64) Shard {
    std::atomic<uint64_t> value = 0;
  };
  std::array<Shard, kShards> shards_;
};

class Gauge {
 public:
  void set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(int64_t delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

// The distribution of a quantity (by convention nanoseconds or bytes), in buckets that are at most 1/16 wide:
// quantiles are exact to about 3 %. Values above kMaxValue count as kMaxValue.
class Histogram {
 public:
  static constexpr uint64_t kMaxValue = (1ULL << 42) - 1;  // 73 minutes in nanoseconds

  struct Summary {
    uint64_t count = 0;
    uint64_t sum = 0;
    uint64_t p50 = 0, p99 = 0, p999 = 0, max = 0;
  };

  Histogram();
  ~Histogram();
  void record(uint64_t value);
  Summary summary() const;

 private:
  struct Shard;
  std::unique_ptr<Shard[]> shards_;
};

// "name" is Prometheus': firn_fuse_requests_total. Labels tell siblings of one name apart.
using Labels = std::vector<std::pair<std::string, std::string>>;

class Registry {
 public:
  // The metric of that name and labels, made at the first call. The reference stays valid. A name keeps the
  // kind it was first asked for; asking for another one is a programmer's error (CHECK).
  Counter& counter(std::string name, std::string help, Labels labels = {});
  Gauge& gauge(std::string name, std::string help, Labels labels = {});
  Histogram& histogram(std::string name, std::string help, Labels labels = {});
  // A gauge that is asked when somebody looks. `read` must not call the registry; remove it before what it captures
  // dies.
  void gauge_callback(std::string name, std::string help, std::function<double()> read, Labels labels = {});
  void remove_callbacks(std::string_view name_prefix);

  // The text exposition format, version 0.0.4; histograms as summaries with quantiles 0.5, 0.99 and 0.999.
  std::string prometheus() const;
  // {"name{label=\"x\"}": number or {"count":, "sum":, "p50":, "p99":, "p999":, "max":}}, for `firn status` and the
  // console.
  std::string json() const;

 private:
  struct Entry;
  template <class Metric>
  Metric& find_or_make(std::string name, std::string help, Labels labels);

  mutable std::mutex entries_mutex_;  // guards entries_, not the metrics
  std::vector<std::shared_ptr<Entry>> entries_;
};

// The registry of this process. Parts may take another one in their options, for tests.
Registry& process_registry();

}  // namespace firn::metrics
