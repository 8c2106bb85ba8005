// A bounded, set-associative cache: a key's hash picks a set of eight slots, and a full set evicts the slot that was
// not used for longest (second chance). No allocation per entry, a lock per set.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/metrics.h"

namespace firn::meta {

// Holds what is committed, for one writer of the store. Invariants:
//  1. publish() and drop() are called with the lock of the thing in question, after its commit.
//  2. fill() brings in what a reader found in the store, without a lock: it is refused when anything in the set was
//     published after the reader took its ticket, and so never undoes a newer publish.
// Key: constructible from View, comparable with it. Thread-safe.
template <class Key, class View, class Value>
class SetCache {
 public:
  // 0 entries: caches nothing. Otherwise rounded up to whole sets, a power of two of them.
  // `name` is the cache's in the metrics.
  SetCache(size_t entries, const char* name)
      : hits_(metrics::process_registry().counter(
            "firn_meta_cache_hits_total", "Lookups that a cache of the namespace answered.", {{"cache", name}})),
        misses_(metrics::process_registry().counter("firn_meta_cache_misses_total",
                                                    "Lookups that the store had to answer.", {{"cache", name}})),
        set_count_(entries == 0 ? 0 : std::bit_ceil((entries + kWays - 1) / kWays)),
        sets_(new Set[set_count_]) {}

  struct Ticket {
    uint32_t generation = 0;
  };

  bool enabled() const { return set_count_ != 0; }

  std::optional<Value> find(uint64_t hash, const View& view) {
    std::optional<Value> found;
    if (!enabled()) return found;
    Set& set = set_of(hash);
    std::lock_guard lock(set.mutex);
    const size_t way = set.find(hash, view);
    (way == kWays ? misses_ : hits_).add();
    if (way == kWays) return found;
    set.referenced |= uint8_t(1u << way);
    found.emplace(set.values[way]);
    return found;
  }

  // To be taken before the read of the store.
  Ticket ticket(uint64_t hash) {
    if (!enabled()) return {};
    Set& set = set_of(hash);
    std::lock_guard lock(set.mutex);
    return {set.generation};
  }

  void fill(uint64_t hash, const View& view, const Value& value, Ticket ticket) {
    if (!enabled()) return;
    Set& set = set_of(hash);
    std::lock_guard lock(set.mutex);
    if (set.generation == ticket.generation) set.insert(hash, view, value);
  }

  void publish(uint64_t hash, const View& view, const Value& value) {
    if (!enabled()) return;
    Set& set = set_of(hash);
    std::lock_guard lock(set.mutex);
    ++set.generation;
    set.insert(hash, view, value);
  }

  void drop(uint64_t hash, const View& view) {
    if (!enabled()) return;
    Set& set = set_of(hash);
    std::lock_guard lock(set.mutex);
    ++set.generation;
    const size_t way = set.find(hash, view);
    if (way != kWays) set.used &= uint8_t(~(1u << way));
  }

 private:
  static constexpr size_t kWays = 8;

  struct Set {
    std::mutex mutex;
    uint32_t generation = 0;  // of publishes
    uint8_t used = 0;         // a bit per way
    uint8_t referenced = 0;
    uint8_t hand = 0;
    std::array<uint64_t, kWays> hashes{};
    std::array<Key, kWays> keys;
    std::array<Value, kWays> values;

    size_t find(uint64_t hash, const View& view) const {
      for (size_t way = 0; way < kWays; ++way)
        if (hashes[way] == hash && (used & (1u << way)) && keys[way] == view) return way;
      return kWays;
    }

    size_t victim() {
      if (used != 0xFF) return size_t(std::countr_one(used));
      while (referenced & (1u << hand)) {
        referenced &= uint8_t(~(1u << hand));
        hand = uint8_t((hand + 1) % kWays);
      }
      const size_t way = hand;
      hand = uint8_t((hand + 1) % kWays);
      return way;
    }

    void insert(uint64_t hash, const View& view, const Value& value) {
      size_t way = find(hash, view);
      if (way == kWays) {
        way = victim();
        hashes[way] = hash;
        keys[way] = Key(view);
        used |= uint8_t(1u << way);
      }
      referenced |= uint8_t(1u << way);
      values[way] = value;
    }
  };

  Set& set_of(uint64_t hash) { return sets_[(hash >> 20) & (set_count_ - 1)]; }

  metrics::Counter& hits_;
  metrics::Counter& misses_;
  const size_t set_count_;
  const std::unique_ptr<Set[]> sets_;
};

}  // namespace firn::meta
