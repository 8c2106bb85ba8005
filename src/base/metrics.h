// Metrics: counters, gauges and histograms that cost a few nanoseconds on the hot path, and their registry.
// All of it is thread-safe. Metrics live as long as their registry.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
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

// The distribution of a time in nanoseconds, in buckets that are at most 1/16 wide: quantiles are exact to about 3 %.
// Values above kMaxValue count as kMaxValue. Whoever looks is told seconds.
class Histogram {
 public:
  static constexpr uint64_t kMaxValue = (1ULL << 42) - 1;  // 73 minutes

  struct Summary {
    uint64_t count = 0;
    uint64_t sum = 0;
    uint64_t p50 = 0, p99 = 0, p999 = 0, max = 0;
  };

  // How many values are below each power of two: what Prometheus' cumulative buckets are made of.
  static constexpr unsigned kFirstPower = 9, kLastPower = 36;  // 512 ns to 69 s
  struct Cumulative {
    uint64_t count = 0;
    uint64_t sum = 0;
    std::array<uint64_t, kLastPower - kFirstPower + 1> below{};
  };

  Histogram();
  ~Histogram();
  void record(uint64_t value);
  Summary summary() const;
  Cumulative cumulative() const;

 private:
  struct Shard;
  struct Total;
  Total total() const;
  std::unique_ptr<Shard[]> shards_;
};

// "name" is Prometheus': firn_fuse_requests_total. Labels tell siblings of one name apart.
using Labels = std::vector<std::pair<std::string, std::string>>;

// What is counted elsewhere, and only read when somebody looks. Not thread-safe.
class Samples {
 public:
  void counter(std::string name, std::string help, double value, Labels labels = {});
  void gauge(std::string name, std::string help, double value, Labels labels = {});

 private:
  friend class Registry;
  struct Sample {
    std::string name, help;
    Labels labels;
    double value = 0;
    bool only_grows = false;
  };
  std::vector<Sample> samples_;
};

class Registry {
 public:
  // The metric of that name and labels, made at the first call. The reference stays valid. A name keeps the
  // kind it was first asked for; asking for another one is a programmer's error (CHECK).
  Counter& counter(std::string name, std::string help, Labels labels = {});
  Gauge& gauge(std::string name, std::string help, Labels labels = {});
  // The name ends in _seconds.
  Histogram& histogram(std::string name, std::string help, Labels labels = {});

  // Both tell `more` as well. The text exposition format, version 0.0.4. A histogram with labels that has seen nothing
  // yet is left out.
  std::string prometheus(const Samples& more = {}) const;
  // {"name{label=\"x\"}": number or {"count":, "sum":, "p50":, "p99":, "p999":, "max":}}, times in seconds.
  std::string json(const Samples& more = {}) const;

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
