// Commits and checkpoints as they leave an engine, and engines made of them again.
#include "kv/shipping.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "kv/counter.h"
#include "kv/testing/engine_host.h"

namespace firn::kv {
namespace {

using testing::run;
using testing::Tx;

using State = std::map<std::string, std::string>;

State applied(State state, std::string_view batch) {
  const Status read = for_each_write(
      batch, [&](std::string_view key, std::string_view value) { state[std::string(key)] = value; },
      [&](std::string_view key) { state.erase(std::string(key)); });
  EXPECT_TRUE(read.ok()) << read.to_string();
  return state;
}

State content(Engine& engine) {
  State state;
  const auto pairs = run(engine.begin()->scan({}, 1'000'000));
  EXPECT_TRUE(pairs);
  for (const Pair& pair : *pairs) state[pair.key] = pair.value;
  return state;
}

TEST(Batch, SaysWhatItWasMadeOf) {
  std::string batch;
  append_put(batch, "a", "1");
  append_erase(batch, "");
  append_put(batch, std::string(300, 'k'), "");
  EXPECT_EQ(batch.substr(0, 7), std::string("\x01\x01"
                                            "a\x01"
                                            "1\x00\x00",
                                            7));
  EXPECT_EQ(batch.substr(7, 3), "\x01\xac\x02");
  std::string text;
  ASSERT_TRUE(for_each_write(
                  batch,
                  [&](std::string_view key, std::string_view value) {
                    text += "+" + std::to_string(key.size()) + "=" + std::string(value);
                  },
                  [&](std::string_view key) { text += "-" + std::to_string(key.size()); })
                  .ok());
  EXPECT_EQ(text, "+1=1-0+300=");
}

TEST(Batch, RefusesWhatIsNotOne) {
  const auto read = [](std::string_view batch) {
    return for_each_write(batch, [](std::string_view, std::string_view) {}, [](std::string_view) {});
  };
  using namespace std::string_view_literals;
  EXPECT_TRUE(read("").ok());
  for (const std::string_view bad : {"\x02"sv, "\x01"sv, "\x01\x01"sv, "\x01\x01k"sv, "\x01\x01k\x05v"sv, "\x00\x02k"sv,
                                     "\x00\xff\xff\xff\xff\xff\x00"sv, "\x00\xff\xff\xff\xff\x7f"sv, "\x01\x81"sv})
    EXPECT_EQ(read(bad), Code::kCorrupt) << ::testing::PrintToString(bad);
  std::string batch;
  append_put(batch, "key", "value");
  for (size_t bytes = 1; bytes < batch.size(); ++bytes) EXPECT_EQ(read(batch.substr(0, bytes)), Code::kCorrupt);
  std::string long_key;
  append_erase(long_key, std::string(kMaxKeyBytes + 1, 'k'));
  EXPECT_EQ(read(long_key), Code::kCorrupt);
}

// Keeps every batch. `committed` is called under the engine's lock.
class Kept final : public CommitSink {
 public:
  void committed(Version version, std::string_view batch) override {
    EXPECT_GT(version, last_);
    last_ = version;
    batches_.emplace_back(version, batch);
  }
  const std::vector<std::pair<Version, std::string>>& batches() const { return batches_; }
  State replay(State state) const {
    for (const auto& [version, batch] : batches_) state = applied(std::move(state), batch);
    return state;
  }

 private:
  Version last_ = 0;
  std::vector<std::pair<Version, std::string>> batches_;
};

class KvShipping : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (in_memory()) {
      engine_ = make_mem_engine();
    } else {
      auto opened = open_rocksdb(options("db"));
      ASSERT_TRUE(opened) << opened.error().to_string();
      engine_ = *std::move(opened);
    }
  }
  void TearDown() override {
    engine_->shipping()->set_commit_sink(nullptr);
    EXPECT_TRUE(run(engine_->close()));
  }

  bool in_memory() const { return std::string_view(GetParam()) == "mem"; }
  RocksdbOptions options(const std::string& name) {
    RocksdbOptions chosen = testing::small_rocksdb(folder_.path() + "/" + name);
    chosen.memtable_bytes = 64 << 10;
    return chosen;
  }
  std::unique_ptr<Checkpoint> checkpoint(Engine& engine) {
    auto taken = run(engine.shipping()->checkpoint());
    EXPECT_TRUE(taken) << taken.error().to_string();
    return *std::move(taken);
  }
  // Through small pieces, as they would come from elsewhere.
  std::unique_ptr<Engine> restore(Checkpoint& from, const std::string& name) {
    std::unique_ptr<RestoreTarget> target =
        in_memory() ? make_mem_restore_target() : make_rocksdb_restore_target(options(name));
    for (size_t i = 0; i < from.tables().size(); ++i)
      for (uint64_t at = 0, piece = 0; at < from.tables()[i].bytes; at += piece) {
        piece = std::min<uint64_t>(10'000, from.tables()[i].bytes - at);
        auto bytes = run(from.read(i, at, piece));
        EXPECT_TRUE(bytes) << bytes.error().to_string();
        EXPECT_TRUE(run(target->append(from.tables()[i].name, *std::move(bytes))));
      }
    auto engine = run(target->finish(from.manifest()));
    EXPECT_TRUE(engine) << engine.error().to_string();
    return *std::move(engine);
  }
  void commit_randomly(int commits) {
    for (int i = 0; i < commits; ++i) {
      Tx t(*engine_);
      for (uint64_t writes = 1 + random_() % 3; writes > 0; --writes) {
        const std::string key = "k" + std::to_string(random_() % 200);
        random_() % 4 == 0 ? t.erase(key) : t.put(key, std::string(random_() % 500, static_cast<char>('a' + i % 26)));
      }
      t.add("n" + std::to_string(random_() % 3), static_cast<int64_t>(random_() % 100));
      t.commit();
    }
  }

  testing::ScratchFolder folder_;
  std::unique_ptr<Engine> engine_;
  std::mt19937_64 random_{7};
};

INSTANTIATE_TEST_SUITE_P(Engines, KvShipping, ::testing::Values("mem", "rocksdb"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(KvShipping, TheSinkSeesEveryCommitAndNothingElse) {
  commit_randomly(20);
  const State before = content(*engine_);
  Kept kept;
  EXPECT_EQ(engine_->shipping()->set_commit_sink(&kept), engine_->last_version());
  Tx reader(*engine_);
  (void)reader.get("k1");
  commit_randomly(200);
  EXPECT_EQ(reader.put("k1", "x").put("k2", "x").erase("k1").add("n1", 5).commit_code() == Code::kOk,
            kept.batches().size() == 201);
  Tx(*engine_).get("k1");
  EXPECT_EQ(kept.batches().back().first, engine_->last_version());
  EXPECT_EQ(kept.replay(before), content(*engine_));
  engine_->shipping()->set_commit_sink(nullptr);
  const size_t seen = kept.batches().size();
  commit_randomly(1);
  EXPECT_EQ(kept.batches().size(), seen);
}

TEST_P(KvShipping, ACheckpointMakesTheSameDatabase) {
  commit_randomly(500);
  const State expected = content(*engine_);
  auto taken = checkpoint(*engine_);
  EXPECT_EQ(taken->through(), engine_->last_version());
  commit_randomly(300);  // and it does not change any more
  auto copy = restore(*taken, "copy");
  EXPECT_EQ(content(*copy), expected);
  Tx(*copy).put("new", "1").add("n1", 1).commit();
  EXPECT_EQ(Tx(*copy).get("new"), "1");
  taken.reset();
  EXPECT_TRUE(run(copy->close()));
}

TEST_P(KvShipping, AnEmptyDatabaseHasACheckpointToo) {
  auto taken = checkpoint(*engine_);
  auto copy = restore(*taken, "copy");
  EXPECT_TRUE(content(*copy).empty());
  EXPECT_TRUE(run(copy->close()));
  auto nothing = in_memory() ? make_mem_restore_target() : make_rocksdb_restore_target(options("nothing"));
  auto made = run(nothing->finish(""));
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_TRUE(content(**made).empty());
  EXPECT_TRUE(run((*made)->close()));
}

// A checkpoint taken while others commit is a prefix; commits from before it, applied again, bring it to the end.
TEST_P(KvShipping, ReplayOverACheckpointGivesTheEnd) {
  commit_randomly(50);
  const State before = content(*engine_);
  Kept kept;
  engine_->shipping()->set_commit_sink(&kept);
  std::thread writer([this] { commit_randomly(400); });
  std::unique_ptr<Checkpoint> taken;
  for (int i = 0; i < 5; ++i) {
    taken.reset();
    taken = checkpoint(*engine_);
  }
  writer.join();
  engine_->shipping()->set_commit_sink(nullptr);
  auto copy = restore(*taken, "copy");
  const State at = content(*copy);
  bool prefix = at == before;
  State state = before;
  for (const auto& [version, batch] : kept.batches()) {
    state = applied(std::move(state), batch);
    if (state == at && version <= taken->through()) prefix = true;
  }
  EXPECT_TRUE(prefix);
  EXPECT_EQ(kept.replay(at), content(*engine_));
  EXPECT_TRUE(run(copy->close()));
}

TEST_P(KvShipping, TablesThatAreTheSameHaveOneIdentity) {
  commit_randomly(300);
  auto first = checkpoint(*engine_);
  Tx(*engine_).put("another", "1").commit();
  auto second = checkpoint(*engine_);
  std::map<std::string, std::string> contents;
  const auto read = [&](Checkpoint& from, size_t i) {
    return run(from.read(i, 0, from.tables()[i].bytes)).value_or("unreadable");
  };
  for (size_t i = 0; i < first->tables().size(); ++i) {
    EXPECT_FALSE(first->tables()[i].identity.empty());
    contents[first->tables()[i].identity] = read(*first, i);
  }
  size_t same = 0;
  for (size_t i = 0; i < second->tables().size(); ++i) {
    const auto found = contents.find(second->tables()[i].identity);
    if (found == contents.end()) continue;
    ++same;
    EXPECT_TRUE(found->second == read(*second, i));
  }
  EXPECT_GT(same, 0u);
  EXPECT_LT(same, second->tables().size());
  auto copy = restore(*first, "copy");
  auto of_copy = checkpoint(*copy);
  for (const Table& table : of_copy->tables()) EXPECT_TRUE(contents.contains(table.identity)) << table.name;
  of_copy.reset();
  EXPECT_TRUE(run(copy->close()));
}

TEST_P(KvShipping, NamesFromElsewhereAreChecked) {
  auto target = in_memory() ? make_mem_restore_target() : make_rocksdb_restore_target(options("copy"));
  EXPECT_EQ(run(target->append("../evil.sst", "x")).error(), Code::kCorrupt);
  EXPECT_EQ(run(target->append("CURRENT", "x")).error(), Code::kCorrupt);
  EXPECT_EQ(run(target->finish("nonsense")).error(), Code::kCorrupt);
}

TEST(KvUnlogged, CommitsAreInMemoryUntilACheckpointOrTheEnd) {
  testing::ScratchFolder folder;
  RocksdbOptions options = testing::small_rocksdb(folder.path() + "/db");
  options.logged = false;
  auto engine = open_rocksdb(options);
  ASSERT_TRUE(engine) << engine.error().to_string();
  for (int i = 0; i < 100; ++i) Tx(**engine).put("k" + std::to_string(i), "v").add("n", 1).commit();
  EXPECT_EQ((*engine)->synced_version(), (*engine)->last_version());
  EXPECT_TRUE(run((*engine)->sync((*engine)->last_version())));
  EXPECT_TRUE((*engine)->flush_to_os());
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/db"))
    if (entry.path().extension() == ".log") EXPECT_EQ(entry.file_size(), 0u);
  ASSERT_TRUE(run((*engine)->close()));
  engine->reset();
  engine = open_rocksdb(options);
  ASSERT_TRUE(engine) << engine.error().to_string();
  EXPECT_EQ(Tx(**engine).get("n"), encode_counter(100));
  Tx(**engine).add("n", 1).commit();
  ASSERT_TRUE(run((*engine)->close()));
  engine->reset();
  options.logged = true;
  engine = open_rocksdb(options);
  ASSERT_TRUE(engine) << engine.error().to_string();
  EXPECT_EQ(Tx(**engine).get("n"), encode_counter(101));
  ASSERT_TRUE(run((*engine)->close()));
}

}  // namespace
}  // namespace firn::kv
