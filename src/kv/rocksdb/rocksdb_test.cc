// What only the RocksDB engine promises: restarts, kills, locks, disk waits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "kv/counter.h"
#include "kv/testing/engine_host.h"

namespace firn::kv {
namespace {

using testing::Tx;

constexpr const char* kChildVariable = "FIRN_KV_TEST_CHILD";

class RocksdbTest : public ::testing::Test {
 protected:
  void open(RocksdbOptions options) {
    engine_.reset();
    auto opened = open_rocksdb(std::move(options));
    ASSERT_TRUE(opened) << opened.error().to_string();
    engine_ = *std::move(opened);
  }
  void open() { open(testing::small_rocksdb(path_)); }
  void reopen() {
    ASSERT_TRUE(testing::run(engine_->close()));
    open();
  }

  testing::ScratchFolder folder_;
  const std::string path_ = folder_.path() + "/db";
  std::unique_ptr<Engine> engine_;
};

TEST_F(RocksdbTest, EverythingIsThereAfterReopening) {
  open();
  Tx(*engine_).put("a", "1").add("n", 40).commit();
  reopen();
  EXPECT_EQ(Tx(*engine_).get("a"), "1");
  Tx(*engine_).add("n", 2).commit();
  EXPECT_EQ(Tx(*engine_).get("n"), encode_counter(42));
  const Version before = engine_->last_version();
  reopen();
  EXPECT_GE(engine_->last_version(), before);
  EXPECT_EQ(Tx(*engine_).get("n"), encode_counter(42));
}

TEST_F(RocksdbTest, ColdReadsGoThroughTheBlockingPool) {
  open();
  for (int i = 0; i < 2000; ++i)
    Tx(*engine_).put("k" + std::to_string(10000 + i), std::string(2000, 'v')).add("n" + std::to_string(i), i).commit();
  reopen();  // 4 MB of tables, a cache of 1 MB
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) {
    const auto j = random() % 2000;
    Tx t(*engine_);
    ASSERT_EQ(t.get("k" + std::to_string(10000 + j)), std::string(2000, 'v'));
    ASSERT_EQ(t.multi_get({"k10001", "none", "k11999"})[2], std::string(2000, 'v'));
    ASSERT_EQ(t.scan("k1" + std::to_string(random() % 2), "", 20).size(), 20 * 2008 - 1);
    ASSERT_EQ(t.add("n" + std::to_string(j), 1).commit_code(), Code::kOk);
  }
  reopen();
  int64_t sum = 0;
  for (int i = 0; i < 2000; ++i) sum += *decode_counter(*Tx(*engine_).get("n" + std::to_string(i)));
  EXPECT_EQ(sum, 1999 * 2000 / 2 + 300);
}

TEST_F(RocksdbTest, MissingDatabaseIsNotFound) {
  RocksdbOptions options = testing::small_rocksdb(path_);
  options.create = false;
  EXPECT_EQ(open_rocksdb(options).error().code(), Code::kNotFound);
  options.create = options.read_only = true;
  EXPECT_EQ(open_rocksdb(options).error().code(), Code::kNotFound);
}

TEST_F(RocksdbTest, OpenTwiceIsBusy) {
  open();
  auto second = open_rocksdb(testing::small_rocksdb(path_));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kBusy) << second.error().message();
}

TEST_F(RocksdbTest, ReadOnlyReadsAndRefusesWrites) {
  open();
  Tx(*engine_).put("a", "1").commit();
  ASSERT_TRUE(testing::run(engine_->close()));
  RocksdbOptions options = testing::small_rocksdb(path_);
  options.read_only = true;
  open(options);
  EXPECT_EQ(Tx(*engine_).get("a"), "1");
  EXPECT_EQ(Tx(*engine_).put("a", "2").commit_code(), Code::kReadOnly);
  EXPECT_TRUE(testing::run(engine_->close()));
}

TEST_F(RocksdbTest, ConcurrentSyncsShareOne) {
  open();
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < testing::reactors().size(); ++i)
    threads.emplace_back([&, i] {
      for (int j = 0; j < 50; ++j) {
        auto t = engine_->begin();
        t->put("k" + std::to_string(i), std::to_string(j));
        auto& reactor = testing::reactors().reactor(i);
        const Version version = *io::block_on(reactor, t->commit());
        ASSERT_TRUE(io::block_on(reactor, engine_->sync(version)));
        ASSERT_GE(engine_->synced_version(), version);
      }
    });
  for (auto& thread : threads) thread.join();
}

// The process that is going to be killed: commits, hands over to the operating system, and says how far it is.
void child(const std::string& path) {
  auto engine = *open_rocksdb(testing::small_rocksdb(path));
  auto count = Tx(*engine).get("count");
  int64_t next = count ? *decode_counter(*count) : 0;
  for (;;) {
    for (int i = 0; i < 7; ++i, ++next)
      Tx(*engine).put("k" + std::to_string(next), std::string(100, 'v')).add("count", 1).commit();
    CHECK(engine->flush_to_os());
    CHECK(::write(STDOUT_FILENO, &next, sizeof next) == sizeof next);
  }
}

// Starts a child, kills it after `delay`, and returns the last number that it told.
int64_t run_and_kill(const std::string& path, std::chrono::milliseconds delay) {
  int ends[2];
  CHECK(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::setenv(kChildVariable, path.c_str(), 1);
    ::execl("/proc/self/exe", "rocksdb_test", nullptr);
    ::_exit(1);
  }
  ::close(ends[1]);
  int64_t told = 0;
  CHECK(::read(ends[0], &told, sizeof told) == sizeof told);  // it is up
  std::this_thread::sleep_for(delay);
  ::kill(pid, SIGKILL);
  while (::read(ends[0], &told, sizeof told) == sizeof told) {
  }
  ::close(ends[0]);
  ::waitpid(pid, nullptr, 0);
  return told;
}

TEST_F(RocksdbTest, KilledProcessLosesNothingThatWasFlushedToTheOs) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int kill = 0; kill < 6; ++kill) {
    const int64_t told = run_and_kill(path_, std::chrono::milliseconds(random() % 120));
    open();
    const int64_t count = *decode_counter(*Tx(*engine_).get("count"));
    EXPECT_GE(count, told);
    for (int64_t i = 0; i < count; ++i) ASSERT_TRUE(Tx(*engine_).get("k" + std::to_string(i))) << i << " of " << count;
    EXPECT_EQ(Tx(*engine_).get("k" + std::to_string(count)), std::nullopt);
    if (kill % 2 == 0) ASSERT_TRUE(testing::run(engine_->close()));
    engine_.reset();
  }
}

// What the page cache does not hold is read where it may wait, and comes back all the same.
TEST(NoWait, ReadsWhatIsOnlyOnTheDisk) {
  testing::ScratchFolder folder;
  RocksdbOptions options = testing::small_rocksdb(folder.path() + "/db");
  options.block_cache_bytes = 64 << 10;
  {
    auto engine = open_rocksdb(options);
    ASSERT_TRUE(engine) << engine.error().to_string();
    for (int i = 0; i < 2000; ++i) Tx(**engine).put("k" + std::to_string(10'000 + i), std::string(1000, 'v')).commit();
    ASSERT_TRUE(testing::run((*engine)->close()));
  }
  auto engine = open_rocksdb(options);
  ASSERT_TRUE(engine) << engine.error().to_string();
  for (int round = 0; round < 3; ++round) {
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/db")) {
      const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
      ::close(fd);
    }
    for (int i = 0; i < 2000; i += 97)
      EXPECT_EQ(Tx(**engine).get("k" + std::to_string(10'000 + i)), std::string(1000, 'v'));
    const auto all = testing::run((*engine)->begin()->scan({"k", "l"}, 10'000));
    ASSERT_TRUE(all) << all.error().to_string();
    EXPECT_EQ(all->size(), 2000u);
  }
  ASSERT_TRUE(testing::run((*engine)->close()));
}

}  // namespace
}  // namespace firn::kv

int main(int argc, char** argv) {
  if (const char* path = std::getenv(firn::kv::kChildVariable)) firn::kv::child(path);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
