#include "meta/event_log.h"

#include <algorithm>
#include <thread>

#include "meta/keys.h"
#include "meta/testing/event_world.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT
using Lines = std::vector<std::string>;

class Events : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_ = kv::make_mem_engine({.crashable = true, .yields = false, .inject = [this](uint64_t) {
                                     return std::exchange(next_failure_, Code::kOk);
                                   }});
    ASSERT_TRUE(run(format(*engine_, VolumeSettings{.id = "x"}, RootOwner{.mode = 0777})));
    open();
  }
  void open(EventLog::Options options = {}) {
    world_.reset();
    world_ = std::make_unique<EventWorld>(*engine_, clock_, options);
  }
  EventWorld& w() { return *world_; }
  Volume& v() { return world_->v(); }
  EventLog& log() { return world_->log(); }

  TickingClock clock_;
  Code next_failure_ = Code::kOk;
  std::unique_ptr<kv::MemEngine> engine_;
  std::unique_ptr<EventWorld> world_;
};

TEST_F(Events, EveryChangeIsTold) {
  const Attr d = v().mkdir(kRootInode, "d");
  const Attr f = v().file(d.inode, "f");
  v().update(f.inode, {.size = 3, .inline_data = "abc"});
  v().chmod(f.inode, 0600);
  EXPECT_EQ(v().setxattr(f.inode, "user.a", "1"), Code::kOk);
  EXPECT_EQ(v().removexattr(f.inode, "user.a"), Code::kOk);
  EXPECT_EQ(v().link(f.inode, kRootInode, "g"), Code::kOk);
  EXPECT_EQ(v().rename(d.inode, "f", kRootInode, "h"), Code::kOk);
  EXPECT_EQ(v().unlink(kRootInode, "g"), Code::kOk);
  ASSERT_TRUE(run(v().service().set_policy(root(), f.inode, {.skip = std::nullopt, .pinned = true})));
  EXPECT_EQ(v().rmdir(kRootInode, "d"), Code::kOk);
  EXPECT_EQ(w().told(),
            (Lines{"created /d", "created /d/f", "content /d/f", "attributes /d/f", "xattr /d/f", "xattr /d/f",
                   "linked /g", "renamed /d/f -> /h", "removed /g", "policy /h", "removed /d"}));
}

TEST_F(Events, WhatChangesNothingIsNotTold) {
  const Attr f = v().file(kRootInode, "f");
  EXPECT_EQ(v().make_code(kRootInode, "f", regular()), Code::kExists);
  EXPECT_EQ(v().rename(kRootInode, "f", kRootInode, "f"), Code::kOk);
  const Access access{f.inode, {2'000'000'000, 0}};
  ASSERT_TRUE(run(v().service().record_accesses(std::span(&access, 1))));
  v().update(f.inode, {.atime = Timestamp{2'000'000'001, 0}});
  const Attr unnamed = *run(v().service().create_unnamed(root(), kRootInode, regular()));
  v().update(unnamed.inode, {.size = 1, .inline_data = "x"});
  EXPECT_EQ(w().told(), Lines{"created /f"});
  EXPECT_EQ(v().link(unnamed.inode, kRootInode, "g"), Code::kOk);
  EXPECT_EQ(w().told(1), Lines{"created /g"});
}

TEST_F(Events, OfTheLastNameThatAnInodeIsKnownBy) {
  const Attr f = v().file(kRootInode, "f");
  EXPECT_EQ(v().link(f.inode, kRootInode, "g"), Code::kOk);
  EXPECT_EQ(v().rename(kRootInode, "g", kRootInode, "h"), Code::kOk);
  v().chmod(f.inode, 0600);
  EXPECT_EQ(v().unlink(kRootInode, "f"), Code::kOk);
  v().chmod(f.inode, 0601);  // nobody knows that it is h
  EXPECT_EQ(v().rename(kRootInode, "h", kRootInode, "i"), Code::kOk);
  v().chmod(f.inode, 0602);
  EXPECT_EQ(w().told(), (Lines{"created /f", "linked /g", "renamed /g -> /h", "attributes /f", "removed /f",
                               "attributes ?", "renamed /h -> /i", "attributes /i"}));
}

TEST_F(Events, AFailedCommitLeavesNoEvent) {
  v().file(kRootInode, "a");
  const uint64_t before = w().events().back().sequence;
  next_failure_ = Code::kNoSpace;
  EXPECT_EQ(v().make_code(kRootInode, "b", regular()), Code::kNoSpace);
  EXPECT_TRUE(w().events(before).empty());
  EXPECT_EQ(log().durable(), before);  // not a number that the next run would give again
  v().file(kRootInode, "c");
  EXPECT_EQ(w().told(before), Lines{"created /c"});
}

TEST_F(Events, ARetriedCommitIsOneEvent) {
  next_failure_ = Code::kConflict;
  v().file(kRootInode, "a");
  EXPECT_EQ(w().told(), Lines{"created /a"});
}

TEST_F(Events, OnlyTheDurableIsTold) {
  v().file(kRootInode, "a");
  log().look();
  EXPECT_EQ(log().durable(), 0u);
  ASSERT_TRUE(run(engine_->sync(engine_->last_version())));
  log().look();
  EXPECT_EQ(log().durable(), 1u);
}

TEST_F(Events, APowerCutTakesEventsWithTheirChanges) {
  v().file(kRootInode, "a");
  ASSERT_TRUE(run(engine_->sync(engine_->last_version())));
  const uint64_t id = log().id();
  v().file(kRootInode, "b");
  world_.reset();
  engine_->crash();
  open();
  EXPECT_EQ(log().id(), id);
  EXPECT_EQ(w().told(), Lines{"created /a"});
  v().file(kRootInode, "c");
  EXPECT_EQ(w().told(), (Lines{"created /a", "created /c"}));
}

TEST_F(Events, GoOnAfterARestart) {
  for (int i = 0; i < 5; ++i) v().file(kRootInode, "f" + std::to_string(i));
  const uint64_t id = log().id();
  open();
  EXPECT_EQ(log().id(), id);
  EXPECT_EQ(log().durable(), 5u);
  v().file(kRootInode, "g");
  EXPECT_EQ(w().events().back().sequence, 6u);
}

TEST_F(Events, AnotherHistoryIsAnotherLog) {
  v().file(kRootInode, "a");
  const uint64_t id = log().id();
  open({.hot_id = 5});  // the volume was restored
  EXPECT_NE(log().id(), id);
  EXPECT_TRUE(w().events().empty());
  const uint64_t second = log().id();
  world_.reset();
  ASSERT_TRUE(run(EventLog::forget(*engine_)));  // and then changed without a log
  open({.hot_id = 5});
  EXPECT_NE(log().id(), second);
}

TEST_F(Events, OldOnesAreDiscarded) {
  open({.keep = 16});
  for (int i = 0; i < 17; ++i) v().file(kRootInode, "a" + std::to_string(i));
  ASSERT_TRUE(run(log().sync()));
  EXPECT_FALSE(*run(log().trim()));
  for (int i = 0; i < 10; ++i) v().file(kRootInode, "b" + std::to_string(i));
  ASSERT_TRUE(run(log().sync()));
  EXPECT_TRUE(*run(log().trim()));
  EXPECT_EQ(log().oldest(), 12u);
  const auto transaction = engine_->begin();
  EXPECT_EQ(run(log().read(*transaction, 10, log().durable(), 100)).error().code(), Code::kStale);
  EXPECT_EQ(w().events(11).size(), 16u);
  open({.keep = 16});
  EXPECT_EQ(log().oldest(), 12u);
  EXPECT_EQ(w().events(11).size(), 16u);
}

TEST_F(Events, TellWhichNamesAreGone) {
  const Attr d = v().mkdir(kRootInode, "d");
  for (const char* name : {"a", "b", "c"}) v().file(d.inode, name);
  const auto gone = [&](InodeId directory, std::string_view name) {
    return *run(v().service().find_former_name(directory, [name](std::string_view each) { return each == name; }));
  };
  EXPECT_EQ(v().unlink(d.inode, "a"), Code::kOk);
  EXPECT_EQ(v().rename(d.inode, "b", kRootInode, "e"), Code::kOk);
  EXPECT_EQ(v().rename(kRootInode, "e", d.inode, "c"), Code::kOk);
  for (int i = 0; i < 3000; ++i) v().chmod(d.inode, 0700);
  open();
  EXPECT_EQ(gone(d.inode, "a"), "a");
  EXPECT_EQ(gone(d.inode, "b"), "b");
  EXPECT_EQ(gone(d.inode, "c"), std::nullopt);
  EXPECT_EQ(gone(kRootInode, "e"), "e");
  EXPECT_EQ(gone(kRootInode, "a"), std::nullopt);
  open({.hot_id = 0, .keep = 10});
  EXPECT_TRUE(*run(log().trim()));
  EXPECT_EQ(gone(d.inode, "a"), std::nullopt) << "it was too long ago";
}

TEST_F(Events, ReplacedAndExchanged) {
  const Attr a = v().file(kRootInode, "a");
  const Attr b = v().file(kRootInode, "b");
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b", {.exchange = true}), Code::kOk);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b"), Code::kOk);
  const auto events = w().events(2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].event.kind, EventKind::kExchanged);
  EXPECT_EQ(events[0].event.inode, a.inode);
  EXPECT_EQ(events[0].event.other, b.inode);
  EXPECT_EQ(events[1].event.kind, EventKind::kRenamed);
  EXPECT_EQ(events[1].event.inode, b.inode);
  EXPECT_EQ(events[1].event.other, a.inode);
  EXPECT_EQ(events[1].event.other_nlink, 0u);
}

// Many threads: what one of them did one after another has ascending numbers, and a reader that follows misses nothing.
TEST(EventsOnRocksdb, AreInOrderAndComplete) {
  constexpr int kWorkers = 4, kFiles = 500;
  kv::testing::ScratchFolder folder;
  auto engine = *kv::open_rocksdb(kv::testing::small_rocksdb(folder.path() + "/db"));
  ASSERT_TRUE(run(format(*engine, VolumeSettings{.id = "x"}, RootOwner{.mode = 0777})));
  TickingClock clock;
  {
    EventWorld world(*engine, clock);
    std::vector<InodeId> directories;
    for (int i = 0; i < kWorkers; ++i) directories.push_back(world.v().mkdir(kRootInode, std::to_string(i)).inode);
    std::vector<LoggedEvent> followed;
    std::atomic<bool> done = false;
    std::thread reader([&] {
      for (bool last = false; !last;) {
        last = done.load();
        ASSERT_TRUE(run(world.log().sync()));
        const uint64_t after = followed.empty() ? 0 : followed.back().sequence;
        const auto transaction = engine->begin();
        auto more = run(world.log().read(*transaction, after, world.log().durable(), 1'000'000));
        ASSERT_TRUE(more);
        followed.insert(followed.end(), more->begin(), more->end());
      }
    });
    std::vector<std::thread> workers;
    for (int i = 0; i < kWorkers; ++i)
      workers.emplace_back([&, i] {
        for (int k = 0; k < kFiles; ++k) world.v().file(directories[static_cast<size_t>(i)], std::to_string(k));
      });
    for (std::thread& worker : workers) worker.join();
    done = true;
    reader.join();
    EXPECT_EQ(followed.size(), size_t{kWorkers + kWorkers * kFiles});
    for (InodeId directory : directories) {
      int next = 0;
      for (const LoggedEvent& one : followed)
        if (one.event.at.parent == directory) EXPECT_EQ(one.event.at.name, std::to_string(next++));
    }
  }
  ASSERT_TRUE(run(engine->close()));
}

}  // namespace
}  // namespace firn::meta
