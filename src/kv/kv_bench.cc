// What a transaction costs, in nanoseconds, without the disk: run it with --benchmark_filter=...
#include <benchmark/benchmark.h>

#include "kv/testing/engine_host.h"

namespace firn::kv {
namespace {

constexpr int kInodes = 200'000;

std::string inode_key(uint64_t inode) {
  std::string key = "I";
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(inode >> shift));
  return key;
}

std::string entry_key(uint64_t parent, uint64_t number) {
  std::string key = inode_key(parent);
  key[0] = 'D';
  return key + "file-" + std::to_string(number);
}

uint64_t scramble(uint64_t x) {
  x *= 0x9E3779B97F4A7C15ULL;
  return x ^ (x >> 29);
}

// A database whose records lie in the memtable, or (`settled`) in tables that the block cache holds.
class Database {
 public:
  explicit Database(bool settled) {
    const RocksdbOptions options{
        .path = folder_.path() + "/db", .create = true, .blocking_pool = &testing::blocking_pool()};
    engine = *open_rocksdb(options);
    for (uint64_t i = 0; i < kInodes; i += 1000) fill(i);
    if (!settled) return;
    CHECK(testing::run(engine->close()));
    engine = *open_rocksdb(options);
    testing::Tx(*engine).scan("", "", 2 * kInodes + 1);
  }
  ~Database() { CHECK(testing::run(engine->close())); }

  std::unique_ptr<Engine> engine;

 private:
  void fill(uint64_t from) {
    testing::Tx t(*engine);
    for (uint64_t i = from; i < from + 1000; ++i)
      t.put(inode_key(i), std::string(120, 'a')).put(entry_key(i % 100, i), std::string(12, 'b'));
    t.commit();
  }

  testing::ScratchFolder folder_;
};

io::Task<int> get_loop(benchmark::State* state, Engine* engine, bool hit) {
  uint64_t i = 0;
  for (auto _ : *state) {
    auto t = engine->begin();
    auto value = co_await t->get(inode_key(scramble(++i) % kInodes + (hit ? 0 : kInodes)));
    CHECK(value && value->has_value() == hit);
  }
  co_return 0;
}

io::Task<int> lookup_loop(benchmark::State* state, Engine* engine) {
  uint64_t i = 0;
  for (auto _ : *state) {
    const uint64_t inode = scramble(++i) % kInodes;
    auto t = engine->begin();
    auto entry = co_await t->get(entry_key(inode % 100, inode));
    auto record = co_await t->get(inode_key(inode));
    CHECK(entry && *entry && record && *record);
  }
  co_return 0;
}

io::Task<int> scan_loop(benchmark::State* state, Engine* engine) {
  uint64_t i = 0;
  for (auto _ : *state) {
    auto t = engine->begin();
    auto pairs = co_await t->scan({inode_key(scramble(++i) % (kInodes - 200)), "J"}, 100);
    CHECK(pairs && pairs->size() == 100);
  }
  co_return 0;
}

// Creates a file: two reads, then four records.
io::Task<int> create_loop(benchmark::State* state, Engine* engine, bool reads) {
  static uint64_t next = 10 * kInodes;
  const std::string record(120, 'c');
  for (auto _ : *state) {
    const uint64_t inode = ++next;
    const uint64_t parent = scramble(inode) % 100;
    auto t = engine->begin();
    if (reads) {
      auto directory = co_await t->get(inode_key(parent));
      auto absent = co_await t->get(entry_key(parent, inode));
      CHECK(directory && *directory && absent && !*absent);
    }
    t->put(inode_key(inode), record);
    t->put(entry_key(parent, inode), record);
    t->put(inode_key(parent), record);
    t->put("Scounter", record);
    auto committed = co_await t->commit();
    CHECK(committed);
    if (next % 256 == 0) CHECK(engine->flush_to_os());
  }
  co_return 0;
}

io::Task<int> sync_loop(benchmark::State* state, Engine* engine) {
  const std::string record(120, 'c');
  for (auto _ : *state) {
    auto t = engine->begin();
    t->put("Scounter", record);
    auto committed = co_await t->commit();
    CHECK(committed);
    CHECK(co_await engine->sync(*committed));
  }
  co_return 0;
}

Database& memtable() {
  static Database database(false);
  return database;
}
Database& settled() {
  static Database database(true);
  return database;
}

void BM_GetHitMemtable(benchmark::State& s) { testing::run(get_loop(&s, memtable().engine.get(), true)); }
void BM_GetHitCached(benchmark::State& s) { testing::run(get_loop(&s, settled().engine.get(), true)); }
void BM_GetMissMemtable(benchmark::State& s) { testing::run(get_loop(&s, memtable().engine.get(), false)); }
void BM_GetMissCached(benchmark::State& s) { testing::run(get_loop(&s, settled().engine.get(), false)); }
void BM_Lookup(benchmark::State& s) { testing::run(lookup_loop(&s, settled().engine.get())); }
void BM_Scan100Memtable(benchmark::State& s) { testing::run(scan_loop(&s, memtable().engine.get())); }
void BM_Scan100Cached(benchmark::State& s) { testing::run(scan_loop(&s, settled().engine.get())); }
void BM_Commit4Puts(benchmark::State& s) { testing::run(create_loop(&s, memtable().engine.get(), false)); }
void BM_Create(benchmark::State& s) { testing::run(create_loop(&s, settled().engine.get(), true)); }
void BM_CommitAndSync(benchmark::State& s) { testing::run(sync_loop(&s, settled().engine.get())); }

BENCHMARK(BM_GetHitMemtable);
BENCHMARK(BM_GetHitCached);
BENCHMARK(BM_GetMissMemtable);
BENCHMARK(BM_GetMissCached);
BENCHMARK(BM_Lookup);
BENCHMARK(BM_Scan100Memtable);
BENCHMARK(BM_Scan100Cached);
BENCHMARK(BM_Commit4Puts);
BENCHMARK(BM_Create);
BENCHMARK(BM_CommitAndSync);

}  // namespace
}  // namespace firn::kv

BENCHMARK_MAIN();
