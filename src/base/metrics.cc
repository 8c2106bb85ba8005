#include "base/metrics.h"

#include <bit>

#include "base/check.h"

namespace firn::metrics {

size_t shard_index() {
  static std::atomic<size_t> next = 0;
  thread_local const size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kShards;
  return mine;
}

uint64_t Counter::value() const {
  uint64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.value.load(std::memory_order_relaxed);
  return sum;
}

namespace {

// Log-linear buckets: values below 16 have one each, and every power of two above is cut in 16.
constexpr unsigned kSubBits = 4;
constexpr size_t kSubBuckets = 1 << kSubBits;
constexpr size_t kBuckets = (42 - kSubBits + 1) * kSubBuckets;
constexpr size_t kHistogramShards = 4;

size_t bucket_of(uint64_t value) {
  if (value < kSubBuckets) return value;
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
  return (shift + 1) * kSubBuckets + ((value >> shift) & (kSubBuckets - 1));
}

// The middle of a bucket.
uint64_t value_of_bucket(size_t bucket) {
  if (bucket < kSubBuckets) return bucket;
  const size_t shift = bucket / kSubBuckets - 1;
  const uint64_t low = (kSubBuckets + bucket % kSubBuckets) << shift;
  return low + ((1ULL << shift) >> 1);
}

static_assert(kBuckets == 624);

}  // namespace

struct alignas(64) Histogram::Shard {
  std::atomic<uint64_t> sum = 0;
  std::atomic<uint64_t> max = 0;
  std::array<std::atomic<uint64_t>, kBuckets> counts{};
};

Histogram::Histogram() : shards_(new Shard[kHistogramShards]) {}
Histogram::~Histogram() = default;

void Histogram::record(uint64_t value) {
  if (value > kMaxValue) value = kMaxValue;
  Shard& shard = shards_[shard_index() % kHistogramShards];
  shard.counts[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
  shard.sum.fetch_add(value, std::memory_order_relaxed);
  uint64_t max = shard.max.load(std::memory_order_relaxed);
  while (value > max && !shard.max.compare_exchange_weak(max, value, std::memory_order_relaxed)) {
  }
}

struct Histogram::Total {
  uint64_t count = 0, sum = 0, max = 0;
  std::array<uint64_t, kBuckets> counts{};
};

Histogram::Total Histogram::total() const {
  Total total;
  for (size_t s = 0; s < kHistogramShards; ++s) {
    const Shard& shard = shards_[s];
    total.sum += shard.sum.load(std::memory_order_relaxed);
    total.max = std::max(total.max, shard.max.load(std::memory_order_relaxed));
    for (size_t i = 0; i < kBuckets; ++i) total.counts[i] += shard.counts[i].load(std::memory_order_relaxed);
  }
  for (const uint64_t count : total.counts) total.count += count;
  return total;
}

Histogram::Cumulative Histogram::cumulative() const {
  const Total all = total();
  Cumulative result{.count = all.count, .sum = all.sum};
  uint64_t seen = 0;
  size_t bucket = 0;
  for (unsigned power = kFirstPower; power <= kLastPower; ++power) {
    for (const size_t end = (power - kSubBits + 1) * kSubBuckets; bucket < end; ++bucket) seen += all.counts[bucket];
    result.below[power - kFirstPower] = seen;
  }
  return result;
}

Histogram::Summary Histogram::summary() const {
  const Total all = total();
  Summary result{.count = all.count, .sum = all.sum, .max = all.max};
  // The smallest value that at least permille/1000 of all values do not exceed.
  auto quantile = [&](uint64_t permille) -> uint64_t {
    const uint64_t rank = (result.count * permille + 999) / 1000;
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += all.counts[i];
      if (seen >= rank && seen > 0) return std::min(value_of_bucket(i), result.max);
    }
    return 0;
  };
  result.p50 = quantile(500);
  result.p99 = quantile(990);
  result.p999 = quantile(999);
  return result;
}

Registry& process_registry() {
  // Never destroyed: threads may count while the process exits.
  static auto* registry = new Registry;
  return *registry;
}

}  // namespace firn::metrics
