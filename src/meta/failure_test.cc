// Commits that fail: nothing of the operation is visible, caches included, and the volume stays sound.
#include <random>

#include "meta/testing/fixture.h"
#include "meta/testing/invariants.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

class FailingCommits : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_ = kv::make_mem_engine(
        {.crashable = true, .inject = [this](uint64_t) { return armed_ ? std::exchange(next_, after_) : Code::kOk; }});
    ASSERT_TRUE(run(format(*engine_, VolumeSettings{.id = "x"}, RootOwner{.mode = 0777})));
    volume_ = std::make_unique<Volume>(*engine_, small_options(clock_, Kind::kMemOwned));
  }
  // The next commit ends with `code`, those after it with `after`.
  void arm(Code code, Code after = Code::kOk) {
    next_ = code;
    after_ = after;
    armed_ = true;
  }
  void disarm() { armed_ = false; }
  Volume& v() { return *volume_; }

  TickingClock clock_;
  std::atomic<bool> armed_ = false;
  Code next_ = Code::kOk, after_ = Code::kOk;
  std::unique_ptr<kv::MemEngine> engine_;
  std::unique_ptr<Volume> volume_;
};

TEST_F(FailingCommits, NothingOfAFailedOperationIsSeen) {
  const Attr d = v().mkdir(kRootInode, "d");
  const Attr f = v().file(d.inode, "f");
  v().file(d.inode, "g");
  const Attr parent = v().stat(d.inode);
  arm(Code::kNoSpace, Code::kNoSpace);
  EXPECT_EQ(v().make_code(d.inode, "new", regular()), Code::kNoSpace);
  EXPECT_EQ(v().unlink(d.inode, "f"), Code::kNoSpace);
  EXPECT_EQ(v().rename(d.inode, "f", d.inode, "g"), Code::kNoSpace);
  EXPECT_EQ(v().link(f.inode, kRootInode, "l"), Code::kNoSpace);
  EXPECT_EQ(v().setattr(f.inode, {.mode = 0}), Code::kNoSpace);
  EXPECT_EQ(v().setxattr(f.inode, "user.a", "b"), Code::kNoSpace);
  disarm();
  EXPECT_EQ(v().names(d.inode), (std::vector<std::string>{"f", "g"}));
  EXPECT_EQ(v().lookup_code(d.inode, "new"), Code::kNotFound);
  EXPECT_EQ(v().stat(d.inode).mtime, parent.mtime);
  EXPECT_EQ(v().stat(f.inode).ctime, f.ctime);
  EXPECT_EQ(v().stat(f.inode).nlink, 1u);
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

TEST_F(FailingCommits, ConflictsAreTriedAgain) {
  const Attr d = v().mkdir(kRootInode, "d");
  arm(Code::kConflict);
  EXPECT_EQ(v().make_code(d.inode, "a", regular()), Code::kOk);
  arm(Code::kConflict);
  EXPECT_EQ(v().rename(d.inode, "a", kRootInode, "b"), Code::kOk);
  arm(Code::kConflict);
  EXPECT_EQ(v().unlink(kRootInode, "b"), Code::kOk);
  disarm();
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

TEST_F(FailingCommits, CrashLeavesASoundVolume) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    for (int step = 0; step < 30; ++step) {
      const std::string a = "n" + std::to_string(random() % 8), b = "n" + std::to_string(random() % 8);
      switch (random() % 5) {
        case 0:
          v().make_code(kRootInode, a, regular());
          break;
        case 1:
          v().make_code(kRootInode, a, directory());
          break;
        case 2:
          v().rename(kRootInode, a, kRootInode, b, {.exchange = random() % 2 == 0});
          break;
        case 3:
          v().unlink(kRootInode, a);
          break;
        default:
          v().rmdir(kRootInode, a);
          break;
      }
      if (random() % 10 == 0) ASSERT_TRUE(run(engine_->sync(engine_->last_version())));
    }
    engine_->crash();
    volume_ = std::make_unique<Volume>(*engine_, small_options(clock_, Kind::kMemOwned));
    ASSERT_EQ(contradictions(*engine_), std::vector<std::string>());
  }
}

}  // namespace
}  // namespace firn::meta
