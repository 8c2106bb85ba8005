// setattr, content updates, usage and live marks.
#include <unistd.h>

#include "meta/testing/fixture.h"
#include "meta/testing/invariants.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

FIRN_META_SUITE(Attributes);

TEST_P(Attributes, ChmodTouchesOnlyCtime) {
  const Attr before = v().file(kRootInode, "f");
  const Attr after = v().chmod(before.inode, 04711);
  EXPECT_EQ(after.mode, 04711u);
  EXPECT_GT(after.ctime, before.ctime);
  EXPECT_EQ(after.mtime, before.mtime);
  EXPECT_EQ(after.atime, before.atime);
  EXPECT_EQ(v().lookup(kRootInode, "f").mode, 04711u);
}

TEST_P(Attributes, AnEmptyChangeTouchesCtime) {
  const Attr before = v().file(kRootInode, "f");
  EXPECT_GT(v().set(before.inode, {}).ctime, before.ctime);
}

TEST_P(Attributes, TimesOfAnyAgeAreKept) {
  const Attr file = v().file(kRootInode, "f");
  const Timestamp old{-9'000'000'000, 1}, far{40'000'000'000, 999'999'999};
  v().set(file.inode, {.atime = old, .mtime = far});
  volume_ = std::make_unique<Volume>(*engine_, small_options(clock_, GetParam()));
  EXPECT_EQ(v().stat(file.inode).atime, old);
  EXPECT_EQ(v().stat(file.inode).mtime, far);
}

TEST_P(Attributes, ChownTakesSetIdsFromFilesOnly) {
  const Attr file = v().file(kRootInode, "f");
  v().chmod(file.inode, 06711);
  EXPECT_EQ(v().set(file.inode, {.uid = 5}).mode, 0711u);
  v().chmod(file.inode, 06701);
  EXPECT_EQ(v().set(file.inode, {.gid = 5}).mode, 02701u);
  const Attr dir = v().mkdir(kRootInode, "d");
  v().chmod(dir.inode, 06755);
  EXPECT_EQ(v().set(dir.inode, {.uid = 5, .gid = 5}).mode, 06755u);
}

TEST_P(Attributes, ChmodOutsideTheGroupDropsSetgid) {
  const Attr file = v().file(kRootInode, "f", 0644, user(5, 6));
  v().set(file.inode, {.gid = 9});
  ASSERT_EQ(v().setattr(file.inode, {.mode = 02755}, user(5, 6)), Code::kOk);
  EXPECT_EQ(v().stat(file.inode).mode, 0755u);
  ASSERT_EQ(v().setattr(file.inode, {.mode = 02755}, user(5, 6, {9})), Code::kOk);
  EXPECT_EQ(v().stat(file.inode).mode, 02755u);
}

TEST_P(Attributes, SetgidDirectoriesGiveTheirGroup) {
  const Attr dir = v().mkdir(kRootInode, "d");
  v().set(dir.inode, {.gid = 9});
  v().chmod(dir.inode, 02777);
  const Attr file = v().file(dir.inode, "f", 0644, user(5));
  EXPECT_EQ(file.gid, 9u);
  EXPECT_EQ(file.mode, 0644u);
  const Attr sub = v().mkdir(dir.inode, "s", 0755, user(5));
  EXPECT_EQ(sub.gid, 9u);
  EXPECT_EQ(sub.mode, 02755u);
  EXPECT_EQ(v().file(dir.inode, "g", 02775, user(5)).mode, 0775u);
  EXPECT_EQ(v().file(dir.inode, "h", 02775, user(5, 5, {9})).mode, 02775u);
}

TEST_P(Attributes, ImmutableAndAppendOnlyRefuseChanges) {
  const Attr file = v().file(kRootInode, "f");
  ASSERT_EQ(v().setattr(file.inode, {.flags = kFlagImmutable}, user(5)), Code::kNotPermitted);
  v().set(file.inode, {.flags = kFlagImmutable});
  for (const Credentials& who : {root(), through_kernel(root())}) {
    EXPECT_EQ(v().setattr(file.inode, {.mode = 0600}, who), Code::kNotPermitted);
    EXPECT_EQ(v().setattr(file.inode, {.atime_now = true, .mtime_now = true}, who), Code::kNotPermitted);
    EXPECT_EQ(v().unlink(kRootInode, "f", who), Code::kNotPermitted);
    EXPECT_EQ(v().rename(kRootInode, "f", kRootInode, "g", {}, who), Code::kNotPermitted);
    EXPECT_EQ(v().link(file.inode, kRootInode, "g", who), Code::kNotPermitted);
    EXPECT_EQ(v().access(file.inode, W_OK, who), Code::kNotPermitted);
    EXPECT_EQ(v().setxattr(file.inode, "user.a", "b", XattrMode::kEither, who), Code::kNotPermitted);
  }
  v().set(file.inode, {.flags = 0});
  EXPECT_EQ(v().unlink(kRootInode, "f"), Code::kOk);
  const Attr dir = v().mkdir(kRootInode, "d");
  v().file(dir.inode, "x");
  v().set(dir.inode, {.flags = kFlagAppend});
  EXPECT_EQ(v().make_code(dir.inode, "y", regular()), Code::kOk);
  EXPECT_EQ(v().unlink(dir.inode, "x"), Code::kNotPermitted);
  v().set(dir.inode, {.flags = kFlagImmutable});
  EXPECT_EQ(v().make_code(dir.inode, "z", regular()), Code::kNotPermitted);
}

TEST_P(Attributes, SymlinkModesDoNotChange) {
  const Attr link = v().make(kRootInode, "l", symlink("x"));
  EXPECT_EQ(v().setattr(link.inode, {.mode = 0600}), Code::kNotSupported);
  EXPECT_EQ(v().setattr(link.inode, {.uid = 5}), Code::kOk);
}

TEST_P(Attributes, InlineContentComesAndGoes) {
  const Attr file = v().file(kRootInode, "f");
  EXPECT_EQ(run(service().read_inline(file.inode)), "");
  const Attr written = v().update(file.inode, {.size = 3, .inline_data = "abc", .mtime = Timestamp{5, 6}});
  EXPECT_EQ(written.size, 3u);
  EXPECT_EQ(written.allocated_bytes, 512u);
  EXPECT_EQ(written.mtime, (Timestamp{5, 6}));
  EXPECT_EQ(written.ctime, file.ctime);
  EXPECT_EQ(run(service().read_inline(file.inode)), "abc");
  v().update(file.inode, {.content = Content{.backing = BackingId(4), .settled = true}});
  EXPECT_EQ(run(service().read_inline(file.inode)), "");
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

TEST_P(Attributes, ContentUpdatesOnlyRaiseCtime) {
  const Attr file = v().file(kRootInode, "f");
  const Timestamp later{file.ctime.seconds + 50, 0}, earlier{file.ctime.seconds - 50, 0};
  EXPECT_EQ(v().update(file.inode, {.size = 1, .ctime = earlier}).ctime, file.ctime);
  EXPECT_EQ(v().update(file.inode, {.size = 2, .ctime = later}).ctime, later);
}

TEST_P(Attributes, UpdateKillsSetIds) {
  const Attr file = v().file(kRootInode, "f");
  v().setxattr(file.inode, "security.capability", "x");
  v().chmod(file.inode, 06777);
  const Attr after = v().update(file.inode, {.size = 1, .kill_set_ids = true});
  EXPECT_EQ(after.mode, 0777u);
  EXPECT_EQ(after.xattr_count, 0u);
}

TEST_P(Attributes, AtimeAloneLeavesCtime) {
  const Attr dir = v().mkdir(kRootInode, "d");
  const Attr after = v().update(dir.inode, {.atime = Timestamp{9, 9}});
  EXPECT_EQ(after.atime, (Timestamp{9, 9}));
  EXPECT_EQ(after.ctime, dir.ctime);
}

TEST_P(Attributes, LiveContentIsListed) {
  NodeSpec spec = regular();
  spec.content = {.backing = BackingId(11), .live = true};
  const Attr a = v().make(kRootInode, "a", spec);
  EXPECT_EQ(a.content.boot_session, 7u);
  const Attr b = v().file(kRootInode, "b");
  v().update(b.inode, {.content = Content{.backing = BackingId(12), .settled = true, .live = true}});
  auto live = run(service().list_live(InodeId(), 10));
  ASSERT_EQ(live->size(), 2u);
  EXPECT_EQ(live->at(0).content, a.content);
  EXPECT_EQ(run(service().list_live(a.inode, 10))->at(0).inode, b.inode);
  v().update(a.inode, {.content = Content{}});
  EXPECT_EQ(run(service().list_live(InodeId(), 10))->size(), 1u);
  ASSERT_EQ(v().unlink(kRootInode, "b"), Code::kOk);
  ASSERT_TRUE(run(service().reclaim(b.inode)));
  EXPECT_EQ(run(service().list_live(InodeId(), 10))->size(), 0u);
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

TEST_P(Attributes, UsageFollows) {
  const Usage before = v().usage();
  const Attr file = v().file(kRootInode, "f");
  v().update(file.inode, {.size = 100'000, .allocated_bytes = 102'400});
  EXPECT_EQ(v().usage().inodes, before.inodes + 1);
  EXPECT_EQ(v().usage().bytes, before.bytes + 102'400);
}

TEST_P(Attributes, ListInodesShowsAll) {
  const Attr file = v().file(kRootInode, "f");
  const auto all = run(service().list_inodes(InodeId(), 10));
  ASSERT_EQ(all->inodes.size(), 2u);
  EXPECT_EQ(all->inodes.at(1).inode, file.inode);
}

}  // namespace
}  // namespace firn::meta
