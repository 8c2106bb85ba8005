// Serializability: random transactions from several reactors, then a replay in the order of their versions must give
// every one of them exactly what it read.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "kv/counter.h"
#include "kv/testing/engine_host.h"

namespace firn::kv {
namespace {

using State = std::map<std::string, std::string>;

struct Event {
  Version version = 0;
  bool read_only = false;
  std::vector<std::pair<std::string, std::optional<std::string>>> gets;
  struct Scan {
    Range range;
    size_t limit;
    std::vector<Pair> pairs;
  };
  std::vector<Scan> scans;
  std::vector<std::pair<std::string, std::optional<std::string>>> writes;  // nullopt: erased
  std::vector<std::pair<std::string, int64_t>> adds;
};

std::string random_key(std::mt19937_64& random) { return "k" + std::to_string(random() % 12); }

io::Task<Status> read_something(Transaction& t, std::mt19937_64& random, Event& event) {
  for (uint64_t reads = random() % 3; reads > 0; --reads) {
    const std::string key = random_key(random);
    event.gets.emplace_back(key, CO_TRY(co_await t.get(key)));
    if (random() % 2 == 0) co_await io::yield();
  }
  if (random() % 3 == 0) {
    Event::Scan scan{{random_key(random), random_key(random)}, 1 + random() % 5, {}};
    if (scan.range.end < scan.range.begin) std::swap(scan.range.begin, scan.range.end);
    scan.pairs = CO_TRY(co_await t.scan(scan.range, scan.limit));
    event.scans.push_back(std::move(scan));
  }
  if (random() % 4 == 0) event.gets.emplace_back("n0", CO_TRY(co_await t.get("n0")));
  co_return Status();
}

void write_something(Transaction& t, std::mt19937_64& random, Event& event) {
  std::map<std::string, std::optional<std::string>> writes;
  for (uint64_t count = random() % 4; count > 0; --count) {
    const std::string key = random_key(random);
    writes[key] = random() % 4 == 0 ? std::nullopt : std::optional(std::to_string(random()));
  }
  event.writes.assign(writes.begin(), writes.end());
  for (const auto& [key, value] : event.writes) value ? t.put(key, *value) : t.erase(key);
  if (random() % 3 == 0)
    event.adds.emplace_back("n" + std::to_string(random() % 2), static_cast<int64_t>(random() % 9));
  for (const auto& [key, delta] : event.adds) t.add(key, delta);
  event.read_only = event.writes.empty() && event.adds.empty();
}

io::Task<std::vector<Event>> client(Engine& engine, uint64_t seed, int transactions) {
  std::mt19937_64 random(seed);
  std::vector<Event> events;
  for (int i = 0; i < transactions; ++i) {
    Event event;
    auto t = engine.begin();
    const Status read = co_await read_something(*t, random, event);
    EXPECT_TRUE(read.ok()) << read.to_string();
    write_something(*t, random, event);
    auto version = co_await t->commit();
    if (!version) {
      EXPECT_EQ(version.error().code(), Code::kConflict) << version.error().to_string();
      continue;
    }
    event.version = *version;
    events.push_back(std::move(event));
  }
  co_return events;
}

void expect_reads(const Event& event, const State& state) {
  for (const auto& [key, value] : event.gets) {
    const auto found = state.find(key);
    ASSERT_EQ(value, found == state.end() ? std::nullopt : std::optional(found->second))
        << key << " @" << event.version;
  }
  for (const Event::Scan& scan : event.scans) {
    std::vector<std::string> expected, got;
    for (auto entry = state.lower_bound(scan.range.begin);
         entry != state.end() && entry->first < scan.range.end && expected.size() < scan.limit; ++entry)
      expected.push_back(entry->first + "=" + entry->second);
    for (const Pair& pair : scan.pairs) got.push_back(pair.key + "=" + pair.value);
    ASSERT_EQ(got, expected) << "@" << event.version;
  }
}

void apply(const Event& event, State& state) {
  for (const auto& [key, value] : event.writes) {
    if (value)
      state[key] = *value;
    else
      state.erase(key);
  }
  for (const auto& [key, delta] : event.adds) {
    const int64_t before = state.contains(key) ? *decode_counter(state[key]) : 0;
    state[key] = encode_counter(before + delta);
  }
}

// A reader's version is that of the commit it saw; so it comes after the writer of the same version.
void check(std::vector<Event> events, Engine& engine) {
  std::ranges::sort(events, {}, [](const Event& e) { return std::pair(e.version, e.read_only); });
  State state;
  Version last = 0;
  for (const Event& event : events) {
    if (!event.read_only) {
      ASSERT_GT(event.version, last) << "two commits with one version";
      last = event.version;
    }
    ASSERT_NO_FATAL_FAILURE(expect_reads(event, state));
    if (!event.read_only) apply(event, state);
  }
  auto pairs = testing::run(engine.begin()->scan({"", ""}, 1000));
  ASSERT_TRUE(pairs);
  State found;
  for (const Pair& pair : *pairs) found[pair.key] = pair.value;
  EXPECT_EQ(found, state);
}

void run_history(Engine& engine, uint64_t seed) {
  SCOPED_TRACE("FIRN_SEED=" + std::to_string(seed));
  constexpr int kTransactions = 400;
  std::vector<std::vector<Event>> histories(2 * testing::reactors().size());
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < histories.size(); ++i)
    threads.emplace_back([&, i] {
      io::Reactor& reactor = testing::reactors().reactor(i % testing::reactors().size());
      histories[i] = io::block_on(reactor, client(engine, seed * 100 + i, kTransactions));
    });
  for (auto& thread : threads) thread.join();
  std::vector<Event> all;
  for (auto& history : histories) std::ranges::move(history, std::back_inserter(all));
  EXPECT_GT(all.size(), kTransactions / 2U);
  check(std::move(all), engine);
}

uint64_t first_seed() {
  const char* chosen = std::getenv("FIRN_SEED");
  return chosen != nullptr ? std::stoull(chosen) : std::random_device()();
}

TEST(KvHistory, MemIsSerializable) {
  for (uint64_t round = 0, seed = first_seed(); round < 5; ++round) {
    auto engine = make_mem_engine();
    run_history(*engine, seed + round);
  }
}

TEST(KvHistory, RocksdbIsSerializable) {
  for (uint64_t round = 0, seed = first_seed(); round < 5; ++round) {
    testing::ScratchFolder folder;
    RocksdbOptions options = testing::small_rocksdb(folder.path() + "/db");
    options.memtable_bytes = 64 << 10;
    auto engine = *open_rocksdb(options);
    run_history(*engine, seed + round);
    ASSERT_TRUE(testing::run(engine->close()));
  }
}

}  // namespace
}  // namespace firn::kv
