// Power cuts at random moments: what fsync acknowledged is there afterwards, nothing foreign ever is, fsck is clean.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "base/random.h"
#include "base/testing/seeds.h"
#include "io/sim/abandon.h"
#include "vfs/fsck/fsck.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

constexpr size_t kBlock = 512;
constexpr int kFiles = 6;
constexpr int64_t kSecond = 1'000'000'000;

// Every block says whose it is and in which round it was written.
struct Stamp {
  uint64_t file;
  uint64_t round;
};

struct FileLedger {
  bool exists_durably = false;                 // an fsync of it, or a later one of everything, was acknowledged
  uint64_t least_bytes = 0;                    // no operation since the acknowledged fsync made it shorter than this
  std::map<uint64_t, uint64_t> durable_round;  // block -> at least this round
  std::map<uint64_t, uint64_t> round;          // block -> newest round written
  uint64_t bytes = 0;
  bool maybe_gone = false;  // an unlink or a replacing rename was started after the fsync
};

class Workload {
 public:
  Workload(TestWorld& world, uint64_t seed, bool tiered) : world_(world), random_(seed), tiered_(tiered) {}

  io::Task<bool> run(int operations) {
    for (int i = 0; i < operations; ++i) co_await step();
    co_return true;
  }

  // Nothing of it is on the local disk any more, but what the tiers do not have.
  io::Task<void> evict_all() {
    EXPECT_TRUE(co_await world_.volume().flush_tiers(nullptr, nullptr));
    for (const std::string& name : names_)
      if (const auto attr = co_await world_.volume().lookup(root_, kRootInode, name))
        (void)co_await world_.volume().evict(attr->inode);
  }

  void verify() {
    for (int file = 0; file < kFiles; ++file) verify_file(file);
  }

 private:
  static std::string name(int file) { return "file" + std::to_string(file); }

  io::Task<void> step() {
    const int file = static_cast<int>(random_.below(kFiles));
    FileLedger& ledger = ledgers_[file];
    if (tiered_) co_await io::sleep_for(static_cast<int64_t>(random_.below(kSecond)));
    if (tiered_ && random_.below(3) == 0) co_return co_await settle(file);
    if (random_.below(4) == 0) co_return co_await read_here_and_there(file, ledger);
    if (random_.below(8) == 0) {
      // It may come back after the cut, with any content of its own.
      ledger = FileLedger();
      (void)co_await world_.volume().unlink(root_, kRootInode, names_[file]);
      co_return;
    }
    const int flags = O_RDWR | O_CREAT;
    auto opened = co_await world_.volume().create(root_, kRootInode, names_[file], {.mode = 0644}, {.flags = flags});
    if (!opened) co_return;
    const uint64_t operations = 1 + random_.below(4);
    for (uint64_t i = 0; i < operations; ++i) co_await operate(file, ledger, opened->handle);
    (void)co_await world_.volume().release(opened->handle);
  }

  // A few blocks at a time, wherever the file is: what is read is what was written last.
  io::Task<void> read_here_and_there(int file, const FileLedger& ledger) {
    const auto attr = co_await world_.volume().lookup(root_, kRootInode, names_[file]);
    if (!attr) co_return;
    const auto opened = co_await world_.volume().open(root_, attr->inode, {.flags = O_RDONLY});
    if (!opened) co_return;
    for (uint64_t reads = 1 + random_.below(6); reads > 0; --reads) {
      const uint64_t first = random_.below(24);
      std::string data((1 + random_.below(2)) * kBlock, '?');
      const auto got =
          co_await world_.volume().read(opened->handle, first * kBlock, std::as_writable_bytes(std::span(data)));
      if (!got) break;
      for (uint64_t i = 0; (i + 1) * kBlock <= *got; ++i) {
        Stamp stamp;
        std::memcpy(&stamp, data.data() + i * kBlock, sizeof stamp);
        const auto written = ledger.round.find(first + i);
        EXPECT_EQ(stamp.round, written == ledger.round.end() ? 0 : written->second) << names_[file] << " " << first + i;
      }
    }
    (void)co_await world_.volume().release(opened->handle);
  }

  // What tiers do by themselves, at any moment.
  io::Task<void> settle(int file) {
    if (random_.below(2) == 0) {
      (void)co_await world_.volume().flush_tiers(nullptr, nullptr);
      co_return;
    }
    const auto attr = co_await world_.volume().lookup(root_, kRootInode, names_[file]);
    if (!attr) co_return;
    (void)co_await world_.volume().evict(attr->inode);
    if (random_.below(3) == 0) (void)co_await world_.volume().warm(attr->inode, nullptr);
  }

  io::Task<void> operate(int file, FileLedger& ledger, Handle* handle) {
    const uint64_t choice = random_.below(10);
    if (choice < 6) {
      co_await write(file, ledger, handle);
    } else if (choice < 7) {
      const uint64_t bytes = random_.below(24) * kBlock;
      ledger.least_bytes = std::min(ledger.least_bytes, bytes);
      Change change;
      change.size = bytes;
      const InodeId inode = Volume::inode_of(handle);
      if (!co_await world_.volume().setattr(root_, inode, change, handle)) co_return;
      ledger.bytes = bytes;
      std::erase_if(ledger.round, [&](auto& entry) { return entry.first * kBlock >= bytes; });
      std::erase_if(ledger.durable_round, [&](auto& entry) { return entry.first * kBlock >= bytes; });
    } else {
      const uint64_t bytes = ledger.bytes;
      auto rounds = ledger.round;
      if (!co_await world_.volume().fsync(handle, random_.below(2) == 0)) co_return;
      ledger.exists_durably = true;
      ledger.least_bytes = bytes;
      ledger.durable_round = std::move(rounds);
    }
  }

  io::Task<void> write(int file, FileLedger& ledger, Handle* handle) {
    const uint64_t first = random_.below(16);
    const uint64_t count = 1 + random_.below(8);
    std::string data(count * kBlock, '\0');
    const Stamp stamp{static_cast<uint64_t>(file) + 1, ++rounds_};
    for (uint64_t i = 0; i < count; ++i) std::memcpy(data.data() + i * kBlock, &stamp, sizeof stamp);
    auto written = co_await world_.volume().write(handle, first * kBlock, std::as_bytes(std::span(data)), {});
    if (!written) co_return;
    ledger.bytes = std::max(ledger.bytes, (first + count) * kBlock);
    for (uint64_t i = 0; i < count; ++i) ledger.round[first + i] = stamp.round;
  }

  void verify_file(int file) {
    const FileLedger& ledger = ledgers_[file];
    auto attr = world_.run(world_.volume().lookup(root_, kRootInode, names_[file]));
    if (!attr) {
      EXPECT_FALSE(ledger.exists_durably) << names_[file] << " was synced and is gone";
      return;
    }
    auto opened = world_.run(world_.volume().open(root_, attr->inode, {.flags = O_RDONLY}));
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    std::string content(attr->size, '?');
    auto got = world_.run(world_.volume().read(opened->handle, 0, std::as_writable_bytes(std::span(content))));
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(*got, attr->size);
    if (ledger.exists_durably) EXPECT_GE(attr->size, ledger.least_bytes) << names_[file];
    for (uint64_t block = 0; (block + 1) * kBlock <= content.size(); ++block)
      verify_block(file, ledger, block, content);
    (void)world_.run(world_.volume().release(opened->handle));
  }

  void verify_block(int file, const FileLedger& ledger, uint64_t block, const std::string& content) {
    Stamp stamp;
    std::memcpy(&stamp, content.data() + block * kBlock, sizeof stamp);
    auto durable = ledger.durable_round.find(block);
    const bool must_hold = durable != ledger.durable_round.end() && block * kBlock < ledger.least_bytes;
    if (stamp.file == 0) {
      EXPECT_FALSE(must_hold) << names_[file] << " block " << block << ": synced data became zeros";
      return;
    }
    EXPECT_EQ(stamp.file, static_cast<uint64_t>(file) + 1) << "another file's bytes in " << names_[file];
    if (must_hold)
      EXPECT_GE(stamp.round, durable->second) << names_[file] << " block " << block << " is older than synced";
  }

  TestWorld& world_;
  SeededRandom random_;
  const bool tiered_;
  const meta::Credentials root_;
  FileLedger ledgers_[kFiles];
  std::string names_[kFiles] = {name(0), name(1), name(2), name(3), name(4), name(5)};
  uint64_t rounds_ = 0;
};

// What reaches the tiers late, or once more, does so while the volume goes on, or after the cut.
object::testing::Faults bad_faults(uint64_t seed) {
  switch (seed % 3) {
    case 0:
      return {.refused = 0.1, .answer_lost = 0.05};
    case 1:
      return {.late = 0.1, .twice = 0.1, .latest_ns = 10 * kSecond};
    default:
      return {.refused = 0.05,
              .answer_lost = 0.1,
              .late = 0.1,
              .twice = 0.1,
              .latest_ns = 60 * kSecond,
              .max_latency_ns = kSecond / 2};
  }
}

void run_seed(uint64_t seed, bool in_bucket) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  const bool tiered = in_bucket || seed % 4 >= 2;
  TestWorld world(seed, seed % 2 == 0,
                  in_bucket ? TestWorld::Tiers::kBucket
                  : tiered  ? TestWorld::Tiers::kTwo
                            : TestWorld::Tiers::kNone);
  if (tiered) world.set_faults(bad_faults(seed));
  ASSERT_TRUE(world.mount().has_value());
  SeededRandom random(seed * 7919);
  auto& workload = *new Workload(world, seed, tiered);  // frames of the cut run refer to it
  world.reactor().stop_after(200 + random.below(4000));
  io::detach_on(world.reactor(),
                [](Workload* load) -> io::Task<void> { (void)co_await load->run(1 << 20); }(&workload));
  world.reactor().run();
  world.cut_power();
  auto mounted = world.mount();
  ASSERT_TRUE(mounted.has_value()) << mounted.error().to_string();
  workload.verify();
  if (tiered) {
    world.everything_arrives();
    workload.verify();
    world.run(workload.evict_all());
    workload.verify();
    ASSERT_TRUE(world.unmount().has_value());
    world.everything_arrives();
    ASSERT_TRUE(world.mount().has_value());
    workload.verify();
  }
  ASSERT_TRUE(world.unmount().has_value());
  auto store = data::make_hot_store({.disk = world.disk(), .root = "/hot"});
  auto report = world.run(fsck(world.engine(), *store, {}));
  ASSERT_TRUE(report.has_value());
  for (const FsckProblem& problem : report->problems) ADD_FAILURE() << problem.path << ": " << problem.what;
}

void run_seeds(bool in_bucket) {
  firn::testing::for_seeds(200, [in_bucket](uint64_t seed) { run_seed(seed, in_bucket); });
}

TEST(PowerLoss, SyncedDataSurvivesAndNothingForeignAppears) { run_seeds(/*in_bucket=*/false); }

// Where the bucket is all that a power cut leaves.
TEST(PowerLoss, WhatLivesInABucketSurvivesTheLossOfTheMachine) { run_seeds(/*in_bucket=*/true); }

// What the disk has of it are holes, as long as it was: these are not its content, and must not reach the tiers.
TEST(PowerLoss, WhatWasCutToNothingWhileItWasAwayIsNoHole) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    TestWorld world(seed, false, TestWorld::Tiers::kTwo);
    ASSERT_TRUE(world.mount());
    world.make("f", std::string(50'000, 'x'));
    world.flush_tiers();
    const auto find = [&world] { return world.run(world.volume().lookup({}, kRootInode, "f")).value(); };
    ASSERT_TRUE(world.run(world.volume().evict(find().inode)));
    const auto opened = world.run(world.volume().open({}, find().inode, {.flags = O_WRONLY | O_TRUNC}));
    ASSERT_TRUE(opened);
    ASSERT_TRUE(world.run(world.service().sync(world.service().last_version())));  // as any fsync does
    io::abandon(opened->handle);
    world.cut_power();
    ASSERT_TRUE(world.mount());
    EXPECT_EQ(find().size, 0u) << seed;
    ASSERT_TRUE(world.unmount());
  }
}

}  // namespace
}  // namespace firn::vfs
