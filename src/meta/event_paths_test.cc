#include "meta/event_paths.h"

#include "meta/keys.h"
#include "meta/records.h"
#include "meta/testing/event_world.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT
using Lines = std::vector<std::string>;

class EventPathsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_ = kv::make_mem_engine();
    ASSERT_TRUE(run(format(*engine_, VolumeSettings{.id = "x"}, RootOwner{.mode = 0777})));
    world_ = std::make_unique<EventWorld>(*engine_, clock_, EventLog::Options{.keep = 8});
  }
  EventWorld& w() { return *world_; }
  Volume& v() { return world_->v(); }

  TickingClock clock_;
  std::unique_ptr<kv::Engine> engine_;
  std::unique_ptr<EventWorld> world_;
};

TEST_F(EventPathsTest, AreThoseOfTheTime) {
  const Attr a = v().mkdir(kRootInode, "a");
  const Attr b = v().mkdir(a.inode, "b");
  v().file(b.inode, "f");
  EXPECT_EQ(v().rename(a.inode, "b", kRootInode, "c"), Code::kOk);
  v().file(b.inode, "g");
  EXPECT_EQ(v().rename(kRootInode, "a", b.inode, "d"), Code::kOk);
  v().file(a.inode, "h");
  EXPECT_EQ(v().unlink(a.inode, "h"), Code::kOk);
  EXPECT_EQ(v().rmdir(b.inode, "d"), Code::kOk);
  const Lines all = {"created /a",         "created /a/b",   "created /a/b/f", "renamed /a/b -> /c", "created /c/g",
                     "renamed /a -> /c/d", "created /c/d/h", "removed /c/d/h", "removed /c/d"};
  EXPECT_EQ(w().told(), all);
  ASSERT_TRUE(run(v().service().reclaim(a.inode)));  // its record is gone, too
  EXPECT_EQ(w().told(), all);
}

TEST_F(EventPathsTest, FollowExchangesAndReplacements) {
  const Attr a = v().mkdir(kRootInode, "a");
  const Attr b = v().mkdir(kRootInode, "b");
  const Attr fa = v().file(a.inode, "f");
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b", {.exchange = true}), Code::kOk);
  v().chmod(fa.inode, 0600);
  EXPECT_EQ(v().unlink(a.inode, "f"), Code::kOk);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b"), Code::kOk);  // the one that is empty now goes
  v().file(b.inode, "g");
  EXPECT_EQ(w().told(), (Lines{"created /a", "created /b", "created /a/f", "exchanged /a -> /b", "attributes /b/f",
                               "removed /b/f", "renamed /a -> /b", "created /b/g"}));
}

TEST_F(EventPathsTest, OfAnOlderVolumeAreLookedUp) {
  const Attr a = v().mkdir(kRootInode, "a");
  const auto transaction = engine_->begin();
  Inode nameless = *decode_inode(a.inode, **run(transaction->get(inode_key(a.inode))));
  nameless.name.clear();
  transaction->put(inode_key(a.inode), encode_inode(nameless));
  ASSERT_TRUE(run(transaction->commit()));
  v().file(a.inode, "f");
  EXPECT_EQ(w().told(), (Lines{"created /a", "created /a/f"}));
}

TEST_F(EventPathsTest, SurviveTrimming) {
  const Attr a = v().mkdir(kRootInode, "a");
  for (int i = 0; i < 12; ++i) {
    const std::string from = i == 0 ? "a" : "a" + std::to_string(i - 1);
    EXPECT_EQ(v().rename(kRootInode, from, kRootInode, "a" + std::to_string(i)), Code::kOk);
    v().file(a.inode, "f" + std::to_string(i));
    (void)w().told(w().log().oldest() - 1);
    EXPECT_TRUE(run(w().log().trim()));
  }
  EXPECT_EQ(w().told(w().log().durable() - 3), (Lines{"created /a10/f10", "renamed /a10 -> /a11", "created /a11/f11"}));
}

}  // namespace
}  // namespace firn::meta
