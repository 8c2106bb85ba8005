// What a call's transactions found and left, as its witness saw it; and changes of one version alone.
#include "meta/witness.h"

#include "meta/testing/fixture.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

FIRN_META_SUITE(Witnessed);

Credentials seen_by(Witness& witness) {
  Credentials who = root();
  who.witness = &witness;
  return who;
}

// That `witness` has the inode as `before`, and as it is now.
void expect_seen(Volume& v, const Witness& witness, const Attr& before) {
  const Witness::Seen* seen = witness.find(before.inode);
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->alone);
  EXPECT_EQ(seen->before, version_of(before));
  EXPECT_TRUE(same_version(seen->after, v.stat(before.inode)));
}

TEST_P(Witnessed, DirectoriesBeforeAndAfterEachChangeOfNames) {
  const Attr other = v().mkdir(kRootInode, "d");
  const Attr file = v().file(kRootInode, "f");
  const auto check = [&](auto change) {
    const Attr top = v().stat(kRootInode), below = v().stat(other.inode);
    Witness witness;
    EXPECT_EQ(change(seen_by(witness)), Code::kOk);
    if (!same_version(top, v().stat(kRootInode))) expect_seen(v(), witness, top);
    if (!same_version(below, v().stat(other.inode))) expect_seen(v(), witness, below);
    return witness.find(kRootInode) != nullptr;
  };
  EXPECT_TRUE(check([&](const Credentials& who) { return v().make_code(kRootInode, "e", directory(), who); }));
  EXPECT_TRUE(check([&](const Credentials& who) { return v().link(file.inode, kRootInode, "g", who); }));
  EXPECT_TRUE(check([&](const Credentials& who) { return v().rename(kRootInode, "g", other.inode, "g", {}, who); }));
  EXPECT_FALSE(check([&](const Credentials& who) { return v().rename(other.inode, "g", other.inode, "h", {}, who); }));
  EXPECT_TRUE(check([&](const Credentials& who) { return v().unlink(kRootInode, "f", who); }));
  EXPECT_TRUE(check([&](const Credentials& who) { return v().rmdir(kRootInode, "e", who); }));
}

TEST_P(Witnessed, NothingWhereNothingWasDone) {
  v().file(kRootInode, "f");
  Witness witness;
  EXPECT_EQ(v().make_code(kRootInode, "f", directory(), seen_by(witness)), Code::kExists);
  EXPECT_EQ(v().unlink(kRootInode, "g", seen_by(witness)), Code::kNotFound);
  EXPECT_FALSE(witness.find(kRootInode));
}

TEST_P(Witnessed, SeveralChangesAndOneOfAnother) {
  const Attr file = v().file(kRootInode, "f");
  Witness witness;
  EXPECT_EQ(v().setattr(file.inode, {.mode = 0600}, seen_by(witness)), Code::kOk);
  v().update(file.inode, {.size = 5, .mtime = clock_.now(), .witness = &witness});
  expect_seen(v(), witness, file);
  v().chmod(file.inode, 0640);
  EXPECT_EQ(v().setattr(file.inode, {.mode = 0600}, seen_by(witness)), Code::kOk);
  EXPECT_FALSE(witness.find(file.inode)->alone);
}

TEST_P(Witnessed, AnExpectedVersionIsChangedAndNoOther) {
  const Attr file = v().file(kRootInode, "f");
  EXPECT_EQ(v().setattr(file.inode, {.mode = 0600, .expected = &file}), Code::kOk);
  EXPECT_EQ(v().setattr(file.inode, {.mode = 0644, .expected = &file}), Code::kStale);
  EXPECT_EQ(v().stat(file.inode).mode, 0600u);
}

class StandingClock : public Clock {
 public:
  Timestamp now() override { return time; }
  int64_t monotonic_ns() override { return 0; }
  Timestamp time{1'700'000'000, 999'999'998};
};

TEST_P(Witnessed, ChangesWithinOneTickAreApart) {
  StandingClock clock;
  volume_ = std::make_unique<Volume>(*engine_, small_options(clock, GetParam()));
  const Attr file = v().file(kRootInode, "f");
  Attr before = v().stat(kRootInode);
  EXPECT_EQ(file.ctime, clock.time);
  for (const char* name : {"a", "b", "c"}) {
    v().file(kRootInode, name);
    const Attr after = v().stat(kRootInode);
    EXPECT_GT(after.mtime, before.mtime);
    EXPECT_GT(after.ctime, before.ctime);
    before = after;
  }
  EXPECT_GT(v().chmod(file.inode, 0600).ctime, file.ctime);
  EXPECT_EQ(v().stat(file.inode).mtime, file.mtime);
  EXPECT_EQ(v().chmod(file.inode, 0644).ctime, (Timestamp{1'700'000'001, 0}));
  EXPECT_EQ(v().set(file.inode, {.told_ctime = Timestamp{1'700'000'001, 5}}).ctime, (Timestamp{1'700'000'001, 6}));
  const Attr moved = v().mkdir(kRootInode, "d");
  EXPECT_EQ(v().rename(kRootInode, "d", kRootInode, "e"), Code::kOk);
  EXPECT_GT(v().stat(moved.inode).ctime, moved.ctime);
  EXPECT_EQ(v().stat(moved.inode).mtime, moved.mtime);
  clock.time.seconds -= 3600;  // set back
  EXPECT_EQ(v().chmod(file.inode, 0600).ctime, clock.time);
}

}  // namespace
}  // namespace firn::meta
