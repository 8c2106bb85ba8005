// What every engine promises, run on every engine.
#include <gtest/gtest.h>

#include "kv/counter.h"
#include "kv/testing/engine_host.h"

namespace firn::kv {
namespace {

using testing::Tx;

class KvConformance : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam()) == "mem") {
      engine_ = make_mem_engine();
    } else {
      auto opened = open_rocksdb(testing::small_rocksdb(folder_.path() + "/db"));
      ASSERT_TRUE(opened) << opened.error().to_string();
      engine_ = *std::move(opened);
    }
  }
  void TearDown() override {
    auto closed = testing::run(engine_->close());
    EXPECT_TRUE(closed) << closed.error().to_string();
  }
  Tx tx() { return Tx(*engine_); }

  testing::ScratchFolder folder_;
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Engines, KvConformance, ::testing::Values("mem", "rocksdb"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(KvConformance, CommittedWritesAreReadBack) {
  tx().put("a", "1").put("b", "").put(std::string("c\0d", 3), std::string("\0\xff", 2)).commit();
  Tx t = tx();
  EXPECT_EQ(t.get("a"), "1");
  EXPECT_EQ(t.get("b"), "");
  EXPECT_EQ(t.get(std::string("c\0d", 3)), std::string("\0\xff", 2));
  EXPECT_EQ(t.get("c"), std::nullopt);
  EXPECT_EQ(t.multi_get({"b", "x", "a"}), (std::vector<std::optional<std::string>>{"", std::nullopt, "1"}));
}

TEST_P(KvConformance, DroppedTransactionLeavesNothing) {
  {
    tx().put("a", "1");
  }
  EXPECT_EQ(tx().get("a"), std::nullopt);
}

// Neighbours, as the hints for insertion know them, before and after.
TEST_P(KvConformance, DiscardingAmongNeighbours) {
  const auto key = [](int i) { return "E" + std::string(7, '\0') + std::string(1, static_cast<char>(i)); };
  for (int i = 0; i < 100; ++i) {
    tx().put(key(i), "x").commit();
    if (i % 10 == 9) ASSERT_TRUE(engine_->discard({"E", key(i - 5)}));
  }
  tx().put("other", "1").commit();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(tx().get(key(i)).has_value(), i >= 94) << i;
}

TEST_P(KvConformance, DiscardedRangesAreGone) {
  tx().put("a", "1").put("b", "2").put("ba", "3").put("c", "4").commit();
  ASSERT_TRUE(engine_->discard({"b", "c"}));
  tx().put("d", "5").put("bb", "6").commit();
  EXPECT_EQ(tx().multi_get({"a", "b", "ba", "bb", "c", "d"}),
            (std::vector<std::optional<std::string>>{"1", std::nullopt, std::nullopt, "6", "4", "5"}));
  EXPECT_FALSE(engine_->discard({"b", ""}));
  EXPECT_FALSE(engine_->discard({"bb", "c"}));
}

TEST_P(KvConformance, OwnWritesAreVisible) {
  tx().put("a", "1").put("b", "2").put("c", "3").put("e", "5").commit();
  Tx t = tx();
  t.put("b", "20").erase("c").put("d", "40").put("a0", "x").erase("a0").erase("zz");
  EXPECT_EQ(t.get("b"), "20");
  EXPECT_EQ(t.get("c"), std::nullopt);
  EXPECT_EQ(t.get("d"), "40");
  EXPECT_EQ(t.multi_get({"a", "b", "c"}), (std::vector<std::optional<std::string>>{"1", "20", std::nullopt}));
  EXPECT_EQ(t.scan("a", "z"), "a=1 b=20 d=40 e=5");
  EXPECT_EQ(t.scan("a", "z", 2), "a=1 b=20");
  EXPECT_EQ(t.scan("b", "d"), "b=20");
  EXPECT_EQ(tx().scan("", ""), "a=1 b=2 c=3 e=5");
  t.commit();
  EXPECT_EQ(tx().scan("", ""), "a=1 b=20 d=40 e=5");
}

TEST_P(KvConformance, LastWriteOfAKeyWins) {
  tx().put("a", "1").erase("a").put("a", "3").put("b", "1").erase("b").commit();
  EXPECT_EQ(tx().scan("", ""), "a=3");
}

TEST_P(KvConformance, ManyOwnWritesStaySorted) {
  Tx t = tx();
  for (int i = 0; i < 100; ++i) t.put("k" + std::to_string(i * 37 % 100 + 100), std::to_string(i));
  for (int i = 0; i < 100; i += 2) t.erase("k" + std::to_string(i + 100));
  const std::string before = t.scan("k", "l");
  EXPECT_TRUE(before.starts_with("k101=")) << before;
  t.commit();
  EXPECT_EQ(tx().scan("k", "l"), before);
}

TEST_P(KvConformance, ScanGivesOrderLimitAndBounds) {
  Tx t = tx();
  for (const char* key : {"b", "ab", "a", "\xff", "aa", "b\xff"}) t.put(key, "v");
  t.commit();
  EXPECT_EQ(tx().scan("", ""), "a=v aa=v ab=v b=v b\xff=v \xff=v");
  EXPECT_EQ(tx().scan("a", prefix_end("a")), "a=v aa=v ab=v");
  EXPECT_EQ(tx().scan("aa", "b"), "aa=v ab=v");
  EXPECT_EQ(tx().scan("\xff", prefix_end("\xff")), "\xff=v");
  EXPECT_EQ(tx().scan("", "", 2), "a=v aa=v");
  EXPECT_EQ(tx().scan("", "", 0), "");
  EXPECT_EQ(tx().scan("c", "d"), "");
  EXPECT_EQ(tx().scan("b", "a"), "");
}

TEST_P(KvConformance, ReadsStayAtOneState) {
  tx().put("a", "1").put("b", "1").commit();
  Tx t = tx();
  EXPECT_EQ(t.get("a"), "1");
  tx().put("a", "2").put("b", "2").put("c", "2").commit();
  EXPECT_EQ(t.get("a"), "1");
  EXPECT_EQ(t.get("b"), "1");
  EXPECT_EQ(t.scan("", ""), "a=1 b=1");
  tx().erase("a").erase("b").commit();
  EXPECT_EQ(t.scan("", ""), "a=1 b=1");
  EXPECT_EQ(tx().scan("", ""), "c=2");
}

TEST_P(KvConformance, ReadThenChangedByAnotherConflicts) {
  tx().put("a", "1").commit();
  Tx t = tx();
  t.get("a");
  t.put("b", "1");
  tx().put("a", "2").commit();
  EXPECT_EQ(t.commit_code(), Code::kConflict);
  EXPECT_EQ(tx().scan("", ""), "a=2");
}

TEST_P(KvConformance, AbsentThenCreatedByAnotherConflicts) {
  Tx t = tx();
  EXPECT_EQ(t.get("a"), std::nullopt);
  t.put("a", "mine");
  tx().put("a", "theirs").commit();
  EXPECT_EQ(t.commit_code(), Code::kConflict);
  EXPECT_EQ(tx().get("a"), "theirs");
}

TEST_P(KvConformance, EraseByAnotherConflicts) {
  tx().put("a", "1").commit();
  Tx t = tx();
  t.multi_get({"x", "a"});
  t.put("b", "1");
  tx().erase("a").commit();
  EXPECT_EQ(t.commit_code(), Code::kConflict);
}

TEST_P(KvConformance, WritesAloneDoNotConflict) {
  Tx first = tx(), second = tx();
  first.put("a", "1");
  second.put("a", "2");
  EXPECT_EQ(first.commit_code(), Code::kOk);
  EXPECT_EQ(second.commit_code(), Code::kOk);
  EXPECT_EQ(tx().get("a"), "2");
}

TEST_P(KvConformance, OwnValueReadBackDoesNotConflict) {
  Tx t = tx();
  t.get("other");
  t.put("a", "1");
  EXPECT_EQ(t.get("a"), "1");
  tx().put("a", "2").commit();
  EXPECT_EQ(t.commit_code(), Code::kOk);
}

TEST_P(KvConformance, SnapshotReadsDoNotConflict) {
  tx().put("a", "1").commit();
  Tx t = tx();
  EXPECT_EQ(t.get("a", Isolation::kSnapshot), "1");
  EXPECT_EQ(t.scan("", "", 10, Isolation::kSnapshot), "a=1");
  t.put("b", "1");
  tx().put("a", "2").commit();
  EXPECT_EQ(t.commit_code(), Code::kOk);
}

TEST_P(KvConformance, PhantomConflicts) {
  tx().put("d1", "").put("d3", "").commit();
  Tx t = tx();
  EXPECT_EQ(t.scan("d", "e"), "d1= d3=");
  t.put("x", "");
  tx().put("d2", "").commit();
  EXPECT_EQ(t.commit_code(), Code::kConflict);
}

TEST_P(KvConformance, ScanConflictsOnlyWhereItLooked) {
  tx().put("d1", "").put("d3", "").put("d5", "").commit();
  Tx outside = tx(), inside = tx();
  EXPECT_EQ(outside.scan("d", "e", 2), "d1= d3=");
  EXPECT_EQ(inside.scan("d", "e", 2), "d1= d3=");
  outside.put("x", "");
  inside.put("y", "");
  tx().put("d4", "").put("e", "").put("c", "").commit();
  EXPECT_EQ(outside.commit_code(), Code::kOk);
  tx().put("d3", "new").commit();
  EXPECT_EQ(inside.commit_code(), Code::kConflict);
}

TEST_P(KvConformance, UnboundedScanConflictsToTheLastKey) {
  Tx t = tx();
  EXPECT_EQ(t.scan("m", ""), "");
  t.put("a", "");
  tx().put("\xff\xff", "").commit();
  EXPECT_EQ(t.commit_code(), Code::kConflict);
}

TEST_P(KvConformance, AddedReadConflictConflicts) {
  Tx t = tx(), unhurt = tx();
  t.add_read_conflict("a").put("b", "");
  unhurt.add_read_conflict("c").put("b", "");
  tx().put("a", "").commit();
  EXPECT_EQ(t.commit_code(), Code::kConflict);
  EXPECT_EQ(unhurt.commit_code(), Code::kOk);
}

TEST_P(KvConformance, ReadOnlyNeverConflicts) {
  tx().put("a", "1").commit();
  Tx t = tx();
  EXPECT_EQ(t.get("a"), "1");
  EXPECT_EQ(t.scan("", ""), "a=1");
  tx().put("a", "2").put("b", "2").commit();
  EXPECT_EQ(t.commit_code(), Code::kOk);
}

TEST_P(KvConformance, AdditionsDoNotConflictAndAddUp) {
  Tx first = tx(), second = tx();
  EXPECT_EQ(first.get("unrelated"), std::nullopt);
  EXPECT_EQ(second.get("unrelated"), std::nullopt);
  first.add("n", 5).add("n", -2);
  EXPECT_EQ(first.get("n", Isolation::kSnapshot), std::nullopt);
  EXPECT_EQ(first.scan("", "", 10, Isolation::kSnapshot), "");
  second.add("n", 40);
  first.commit();
  second.commit();
  EXPECT_EQ(tx().get("n"), encode_counter(43));
  tx().add("n", -44).commit();
  EXPECT_EQ(tx().get("n"), encode_counter(-1));
}

TEST_P(KvConformance, AdditionConflictsWithItsReaders) {
  tx().add("n", 1).commit();
  Tx t = tx();
  EXPECT_EQ(t.get("n"), encode_counter(1));
  t.put("copy", "");
  tx().add("n", 1).commit();
  EXPECT_EQ(t.commit_code(), Code::kConflict);
}

TEST_P(KvConformance, AdditionsMixWithPutsAndErases) {
  tx().add("n", 7).commit();
  tx().put("n", encode_counter(100)).commit();
  tx().add("n", 1).commit();
  EXPECT_EQ(tx().get("n"), encode_counter(101));
  tx().erase("n").commit();
  tx().add("n", 2).commit();
  EXPECT_EQ(tx().get("n"), encode_counter(2));
  tx().put("n", encode_counter(10)).add("n", 5).commit();
  EXPECT_EQ(tx().get("n"), encode_counter(15));
  tx().erase("n").add("n", 3).commit();
  EXPECT_EQ(tx().get("n"), encode_counter(3));
  tx().add("n", 50).put("n", encode_counter(1)).commit();
  EXPECT_EQ(tx().get("n"), encode_counter(1));
}

TEST_P(KvConformance, AddingToWhatIsNoCounterFailsAndAppliesNothing) {
  tx().put("n", "text").commit();
  EXPECT_EQ(tx().add("n", 1).put("a", "").commit_code(), Code::kCorrupt);
  EXPECT_EQ(tx().scan("", ""), "n=text");
}

TEST_P(KvConformance, VersionsOrderCommits) {
  const Version first = tx().put("a", "1").commit();
  const Version second = tx().put("b", "1").put("c", "1").commit();
  EXPECT_LT(first, second);
  EXPECT_EQ(engine_->last_version(), second);
  Tx reader = tx();
  reader.get("a");
  const Version read = reader.commit();
  EXPECT_GE(read, second);
  EXPECT_LT(read, tx().put("a", "2").commit());
}

TEST_P(KvConformance, SyncReachesTheVersionAsked) {
  const Version version = tx().put("a", "1").commit();
  EXPECT_LT(engine_->synced_version(), version);
  EXPECT_TRUE(engine_->flush_to_os());
  EXPECT_TRUE(testing::run(engine_->sync(version)));
  EXPECT_GE(engine_->synced_version(), version);
  EXPECT_TRUE(testing::run(engine_->sync(version)));
}

TEST_P(KvConformance, BigValuesAndLimits) {
  const std::string big(kMaxValueBytes, 'x'), long_key(kMaxKeyBytes, 'k');
  tx().put(long_key, big).commit();
  EXPECT_EQ(tx().get(long_key), big);
  EXPECT_EQ(tx().put("a", "").put("b", big + "x").commit_code(), Code::kInvalid);
  EXPECT_EQ(tx().put("a", "").put(long_key + "k", "").commit_code(), Code::kInvalid);
  EXPECT_EQ(tx().put("a", "").erase(long_key + "k").commit_code(), Code::kInvalid);
  EXPECT_EQ(tx().get("a"), std::nullopt);
}

TEST_P(KvConformance, StaleReaderBeyondTheWindowConflictsRatherThanMissing) {
  Tx stale = tx(), reader = tx();
  stale.scan("d", "e");
  stale.put("x", "");
  reader.get("a");
  for (int i = 0; i < 100; ++i) {
    Tx t = tx();
    for (int j = 0; j < 200; ++j) t.put("k" + std::to_string(j), std::to_string(i));
    t.commit();
  }
  EXPECT_EQ(stale.commit_code(), Code::kConflict);
  EXPECT_EQ(reader.scan("k", "l"), "");
}

io::Task<Result<int>> increment(Transaction& t, int* runs) {
  ++*runs;
  auto value = CO_TRY(co_await t.get("n"));
  const int next = value ? std::stoi(*value) + 1 : 1;
  t.put("n", std::to_string(next));
  co_return next;
}

io::Task<int> increment_often(Engine& engine, int times) {
  int runs = 0;
  for (int i = 0; i < times; ++i) {
    auto done = co_await transact<int>(engine, [&runs](Transaction& t) { return increment(t, &runs); });
    EXPECT_TRUE(done) << done.error().to_string();
  }
  co_return runs;
}

TEST_P(KvConformance, TransactRetriesUntilItCommits) {
  constexpr int kTimes = 300;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < testing::reactors().size(); ++i)
    threads.emplace_back(
        [&, i] { EXPECT_GE(io::block_on(testing::reactors().reactor(i), increment_often(*engine_, kTimes)), kTimes); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(tx().get("n"), std::to_string(kTimes * testing::reactors().size()));
}

io::Task<Result<int>> fail_after_write(Transaction& t) {
  t.put("a", "1");
  co_return fail(Code::kExists);
}

TEST_P(KvConformance, TransactReturnsTheBodysFailureWithoutCommit) {
  auto result = testing::run(transact<int>(*engine_, [](Transaction& t) { return fail_after_write(t); }));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kExists);
  EXPECT_EQ(tx().get("a"), std::nullopt);
}

TEST(KvPrefixEnd, IsTheSmallestKeyAfterAllWithThePrefix) {
  EXPECT_EQ(prefix_end("a"), "b");
  EXPECT_EQ(prefix_end("a\xff"), "b");
  EXPECT_EQ(prefix_end("\xff\xff"), "");
  EXPECT_EQ(prefix_end(""), "");
  EXPECT_EQ(prefix_end(std::string("a\0", 2)), "a\x01");
}

}  // namespace
}  // namespace firn::kv
