// Power cuts, full disks and damaged files under the RocksDB engine, on a file system that forgets.
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "kv/counter.h"
#include "kv/testing/engine_host.h"
#include "kv/testing/lossy_file_system.h"

namespace firn::kv {
namespace {

using testing::LossyFileSystem;
using testing::Tx;

class Machine {
 public:
  Machine() : fs(std::make_shared<LossyFileSystem>()), env(rocksdb::NewCompositeEnv(fs)) {}
  ~Machine() { engine.reset(); }

  RocksdbOptions options() {
    RocksdbOptions options = testing::small_rocksdb("/db");
    options.memtable_bytes = 64 << 10;
    options.env = env.get();
    if (std::getenv("FIRN_LOG") != nullptr) options.log = [](std::string_view line) { std::cerr << line << "\n"; };
    return options;
  }
  Result<void> open() {
    engine = TRY(open_rocksdb(options()));
    return {};
  }
  void power_cut(uint64_t seed) {
    fs->cut();
    engine.reset();
    fs->restart(seed);
  }

  std::shared_ptr<LossyFileSystem> fs;
  std::unique_ptr<rocksdb::Env> env;
  std::unique_ptr<Engine> engine;
};

// What the engine was told, commit by commit.
class Ledger {
 public:
  using State = std::map<std::string, std::string>;

  // One random transaction; false when the engine refused it.
  bool commit(Engine& engine, std::mt19937_64& random) {
    Tx t(engine);
    State state = states_.back();
    for (uint64_t writes = 1 + random() % 6; writes > 0; --writes) {
      const std::string key = "k" + std::to_string(random() % 60);
      if (random() % 4 == 0) {
        t.erase(key);
        state.erase(key);
      } else {
        const std::string value(random() % 400, static_cast<char>('a' + random() % 26));
        t.put(key, value);
        state[key] = value;
      }
    }
    const auto delta = static_cast<int64_t>(random() % 100);
    t.add("total", delta);
    state["total"] = encode_counter(delta + (state.contains("total") ? *decode_counter(state["total"]) : 0));
    auto version = t.try_commit();
    if (!version) {
      refused_ = std::move(state);
      return false;
    }
    states_.push_back(std::move(state));
    versions_.push_back(*version);
    return true;
  }

  // Everything up to `version` must be there.
  void note_synced(Version version) {
    while (synced_ + 1 < versions_.size() && versions_[synced_ + 1] <= version) ++synced_;
  }

  // Checks that the engine holds the state after some commit not older than the last synced, and goes on from it.
  ::testing::AssertionResult matches_a_prefix(Engine& engine) {
    const State found = read_all(engine);
    for (size_t i = states_.size(); i-- > synced_;) {
      if (states_[i] != found) continue;
      states_.resize(i + 1);
      versions_.resize(i + 1);
      synced_ = i;
      return ::testing::AssertionSuccess();
    }
    const bool refused = refused_ && *refused_ == found;
    const bool older = std::find(states_.begin(), states_.end(), found) != states_.end();
    return ::testing::AssertionFailure() << (refused ? "a refused commit is there"
                                             : older ? "lost synced commits"
                                                     : "not the state after any commit")
                                         << ": " << states_.size() << " commits, synced " << synced_;
  }

 private:
  static State read_all(Engine& engine) {
    auto pairs = testing::run(engine.begin()->scan({"", ""}, 100'000));
    EXPECT_TRUE(pairs) << pairs.error().to_string();
    State state;
    for (const Pair& pair : *pairs) state[pair.key] = pair.value;
    return state;
  }

  std::vector<State> states_ = {State()};
  std::vector<Version> versions_ = {0};
  size_t synced_ = 0;
  std::optional<State> refused_;
};

// Works until something fails or enough was done.
void work(Machine& machine, Ledger& ledger, std::mt19937_64& random) {
  const uint64_t commits = random() % 400;
  for (uint64_t i = 0; i < commits; ++i) {
    if (!ledger.commit(*machine.engine, random)) return;
    if (random() % 10 == 0 && !machine.engine->flush_to_os()) return;
    if (random() % 25 == 0) {
      if (!testing::run(machine.engine->sync(machine.engine->last_version()))) return;
      ledger.note_synced(machine.engine->synced_version());
    }
  }
}

TEST(PowerLoss, SyncedCommitsSurviveAndTheRestIsAPrefix) {
  const char* chosen = std::getenv("FIRN_SEED");
  const uint64_t first = chosen != nullptr ? std::stoull(chosen) : 1;
  const char* count = std::getenv("FIRN_SEEDS");
  const uint64_t seeds = count != nullptr ? std::stoull(count) : chosen != nullptr ? 1 : 12;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("FIRN_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    Machine machine;
    Ledger ledger;
    for (int life = 0; life < 8; ++life) {
      if (random() % 3 == 0) {  // a cut while it opens
        machine.fs->cut_after(random() % 30);
        (void)machine.open();
        machine.power_cut(random());
      }
      auto opened = machine.open();
      ASSERT_TRUE(opened) << "life " << life << ": " << opened.error().to_string();
      ASSERT_TRUE(ledger.matches_a_prefix(*machine.engine)) << "life " << life;
      if (random() % 2 == 0) machine.fs->cut_after(random() % 300);
      work(machine, ledger, random);
      machine.power_cut(random());
    }
  }
}

TEST(PowerLoss, CloseIsDurable) {
  Machine machine;
  ASSERT_TRUE(machine.open());
  Tx(*machine.engine).put("a", "1").add("n", 7).commit();
  ASSERT_TRUE(testing::run(machine.engine->close()));
  machine.power_cut(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(Tx(*machine.engine).scan("", ""), "a=1 n=" + encode_counter(7));
}

TEST(DiskFull, StaysReadableAndRecovers) {
  Machine machine;
  ASSERT_TRUE(machine.open());
  Tx(*machine.engine).put("first", "1").commit();
  machine.fs->set_capacity(machine.fs->used_bytes() + (300 << 10));
  const std::string value(1000, 'v');
  Code code = Code::kOk;
  int committed = 0;
  for (; committed < 20'000 && code == Code::kOk; ++committed) {
    code = Tx(*machine.engine).put("k" + std::to_string(committed), value).commit_code();
    if (code == Code::kOk && committed % 16 == 0)
      if (auto synced = testing::run(machine.engine->sync(machine.engine->last_version())); !synced)
        code = synced.error().code();
  }
  EXPECT_EQ(code, Code::kNoSpace);
  EXPECT_EQ(Tx(*machine.engine).put("x", "").commit_code(), Code::kNoSpace);
  EXPECT_EQ(Tx(*machine.engine).get("first"), "1");
  EXPECT_EQ(Tx(*machine.engine).get("k0"), value);

  machine.fs->set_capacity(~uint64_t{0});
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_EQ(Tx(*machine.engine).put("after", "1").commit_code(), Code::kOk);
  ASSERT_TRUE(testing::run(machine.engine->sync(machine.engine->last_version())));
  machine.power_cut(3);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(Tx(*machine.engine).get("after"), "1");
  for (int i = 0; i + 1 < committed; ++i) ASSERT_EQ(Tx(*machine.engine).get("k" + std::to_string(i)), value) << i;
}

// The log fails under one thread while another is in the middle of a commit.
TEST(DiskFull, ManyThreadsSurviveAFailingLog) {
  for (int round = 0; round < 20; ++round) {
    Machine machine;
    ASSERT_TRUE(machine.open());
    Tx(*machine.engine).put("first", "1").commit();
    ASSERT_TRUE(testing::run(machine.engine->sync(machine.engine->last_version())));
    machine.fs->set_capacity(machine.fs->used_bytes() + (20 << 10));
    std::atomic<bool> full = false;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 3; ++thread)
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 2000 && !full; ++i) {
          const std::string key = std::to_string(thread) + "-" + std::to_string(i);
          if (Tx(*machine.engine).put(key, std::string(500, 'v')).commit_code() == Code::kNoSpace) full = true;
          (void)machine.engine->flush_to_os();
        }
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(full);
    EXPECT_EQ(Tx(*machine.engine).get("first"), "1");
    machine.fs->set_capacity(~uint64_t{0});
    machine.power_cut(static_cast<uint64_t>(round));
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(Tx(*machine.engine).get("first"), "1");
  }
}

std::string find_file(Machine& machine, std::string_view suffix) {
  for (const std::string& name : machine.fs->names())
    if (name.ends_with(suffix) && machine.fs->size(name) > 0) return name;
  return "";
}

// Numbers the commits, so that a hole shows; returns how many there are, or -1 for a hole.
int count_without_hole(Engine& engine) {
  auto pairs = testing::run(engine.begin()->scan({"k", "l"}, 100'000));
  for (size_t i = 0; i < pairs->size(); ++i)
    if ((*pairs)[i].key != "k" + std::to_string(10'000 + i)) return -1;
  return static_cast<int>(pairs->size());
}

void commit_numbered(Engine& engine, int from, int to) {
  for (int i = from; i < to; ++i) Tx(engine).put("k" + std::to_string(10'000 + i), std::string(500, 'v')).commit();
}

constexpr uint64_t kLogBlockBytes = 32 << 10;

TEST(Holes, ABlockOfZerosEndsTheReplay) {
  for (const uint64_t block : {uint64_t{0}, uint64_t{1}, uint64_t{3}}) {
    SCOPED_TRACE(block);
    Machine machine;
    RocksdbOptions options = machine.options();
    options.memtable_bytes = 1 << 20;
    machine.engine = *open_rocksdb(options);
    commit_numbered(*machine.engine, 0, 400);
    ASSERT_TRUE(machine.engine->flush_to_os());
    machine.engine.reset();
    machine.fs->zero(find_file(machine, ".log"), block * kLogBlockBytes, kLogBlockBytes);
    machine.engine = *open_rocksdb(options);
    const int found = count_without_hole(*machine.engine);
    EXPECT_GE(found, static_cast<int>(block) * 50);
    EXPECT_LT(found, 400);
    commit_numbered(*machine.engine, found, 450);
    machine.engine.reset();
    machine.engine = *open_rocksdb(options);
    EXPECT_EQ(count_without_hole(*machine.engine), 450);
  }
}

std::vector<std::string> logs(Machine& machine) {
  std::vector<std::string> paths;
  for (const std::string& name : machine.fs->names())
    if (name.ends_with(".log")) paths.push_back(name);
  return paths;
}

// The end of the first record of the log at or after `offset`, which must lie in its first block.
uint64_t record_end(const std::string& log, uint64_t offset) {
  uint64_t end = 0;
  while (end < offset)
    end += 7 + static_cast<unsigned char>(log[end + 4]) + 256 * static_cast<unsigned char>(log[end + 5]);
  return end;
}

TEST(Holes, AnEarlierLogThatLostItsEndEndsTheReplay) {
  for (const uint64_t kept : {uint64_t{20'000}, uint64_t{0}}) {
    SCOPED_TRACE(kept);
    Machine machine;
    RocksdbOptions options = machine.options();
    options.memtable_bytes = 128 << 10;
    machine.engine = *open_rocksdb(options);
    machine.fs->hold_tables();  // so that both logs stay needed
    int commits = 0;
    for (; logs(machine).size() < 2; ++commits) commit_numbered(*machine.engine, commits, commits + 1);
    commit_numbered(*machine.engine, commits, commits + 20);
    ASSERT_TRUE(machine.engine->flush_to_os());
    machine.fs->sync_everything();
    machine.power_cut(1);
    const std::string first = logs(machine)[0];
    machine.fs->shorten(first, record_end(machine.fs->contents(first), kept));
    machine.engine = *open_rocksdb(options);
    const int found = count_without_hole(*machine.engine);
    EXPECT_GE(found, static_cast<int>(kept / 600));
    EXPECT_LT(found, commits);
  }
}

TEST(Damage, InTheSyncedLogIsReportedAndNothingIsDropped) {
  Machine machine;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 20; ++i) Tx(*machine.engine).put("k" + std::to_string(i), std::string(500, 'v')).commit();
  ASSERT_TRUE(testing::run(machine.engine->sync(machine.engine->last_version())));
  machine.engine.reset();
  const std::string log = find_file(machine, ".log");
  machine.fs->damage(log, machine.fs->size(log) / 2);
  const auto before = machine.fs->names();
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto opened = machine.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), Code::kCorrupt);
    EXPECT_NE(opened.error().message().find(log.substr(log.rfind('/') + 1)), std::string::npos)
        << opened.error().message();
  }
  EXPECT_EQ(machine.fs->names(), before);
  machine.fs->damage(log, machine.fs->size(log) / 2);  // the bit flipped back
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(Tx(*machine.engine).get("k19"), std::string(500, 'v'));
}

TEST(Damage, InATableIsReportedByTheRead) {
  Machine machine;
  ASSERT_TRUE(machine.open());
  Tx(*machine.engine).put("k", std::string(3000, 'v')).commit();
  ASSERT_TRUE(testing::run(machine.engine->close()));
  machine.engine.reset();
  const std::string table = find_file(machine, ".sst");
  ASSERT_NE(table, "");
  machine.fs->damage(table, 1000);
  ASSERT_TRUE(machine.open());
  auto value = Tx(*machine.engine).try_get("k");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code(), Code::kCorrupt);
  EXPECT_NE(value.error().message().find(table), std::string::npos) << value.error().message();
}

TEST(Damage, MissingTableFailsTheOpen) {
  Machine machine;
  ASSERT_TRUE(machine.open());
  Tx(*machine.engine).put("k", "v").commit();
  ASSERT_TRUE(testing::run(machine.engine->close()));
  machine.engine.reset();
  ASSERT_TRUE(machine.env->DeleteFile(find_file(machine, ".sst")).ok());
  auto opened = machine.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kCorrupt) << opened.error().message();
}

}  // namespace
}  // namespace firn::kv
