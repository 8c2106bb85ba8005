// rename(2) and renameat2(2).
#include "meta/testing/fixture.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

FIRN_META_SUITE(Rename);

TEST_P(Rename, MovesWithinADirectory) {
  const Attr file = v().file(kRootInode, "a");
  ASSERT_EQ(v().rename(kRootInode, "a", kRootInode, "b"), Code::kOk);
  EXPECT_EQ(v().lookup_code(kRootInode, "a"), Code::kNotFound);
  const Attr moved = v().lookup(kRootInode, "b");
  EXPECT_EQ(moved.inode, file.inode);
  EXPECT_GT(moved.ctime, file.ctime);
  EXPECT_EQ(moved.mtime, file.mtime);
  EXPECT_EQ(v().stat(kRootInode).mtime, moved.ctime);
}

TEST_P(Rename, ReplacedFileBecomesAnOrphan) {
  const Attr a = v().file(kRootInode, "a");
  const Attr b = v().file(kRootInode, "b");
  const auto renamed = run(service().rename(root(), kRootInode, "a", kRootInode, "b", {}));
  ASSERT_TRUE(renamed);
  EXPECT_EQ(renamed->moved.inode, a.inode);
  ASSERT_TRUE(renamed->replaced);
  EXPECT_EQ(renamed->replaced->inode, b.inode);
  EXPECT_EQ(renamed->replaced->nlink, 0u);
  EXPECT_EQ(v().orphans(), std::vector<InodeId>{b.inode});
  EXPECT_EQ(v().names(kRootInode), std::vector<std::string>{"b"});
}

TEST_P(Rename, OnlyTheExpectedVersionIsMovedReplacedOrRemoved) {
  const Attr a = v().file(kRootInode, "a");
  const Attr old = v().file(kRootInode, "b");
  ASSERT_EQ(v().setattr(old.inode, {.mode = 0600}), Code::kOk);
  const Attr b = v().lookup(kRootInode, "b");
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b", {.replaces = &old}), Code::kStale);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b", {.replaces = &a}), Code::kStale);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "none", {.replaces = &b}), Code::kStale);
  EXPECT_EQ(v().rename(kRootInode, "b", kRootInode, "c", {.moves = &old}), Code::kStale);
  EXPECT_EQ(code_of(run(service().unlink(root(), kRootInode, "b", {.expected = &old}))), Code::kStale);
  const Attr d = v().mkdir(kRootInode, "d");
  EXPECT_EQ(code_of(run(service().rmdir(root(), kRootInode, "d", &b))), Code::kStale);
  EXPECT_EQ(v().names(kRootInode), (std::vector<std::string>{"a", "b", "d"}));

  EXPECT_EQ(code_of(run(service().rmdir(root(), kRootInode, "d", &d))), Code::kOk);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b", {.replaces = &b}), Code::kOk);
  const Attr moved = v().lookup(kRootInode, "b");
  EXPECT_EQ(moved.inode, a.inode);
  EXPECT_EQ(v().rename(kRootInode, "b", kRootInode, "c", {.moves = &moved}), Code::kOk);
  const Attr c = v().lookup(kRootInode, "c");
  EXPECT_EQ(code_of(run(service().unlink(root(), kRootInode, "c", {.expected = &c}))), Code::kOk);
  EXPECT_TRUE(v().names(kRootInode).empty());
}

TEST_P(Rename, ReplacedLinkOnlyLosesACount) {
  v().file(kRootInode, "a");
  const Attr b = v().file(kRootInode, "b");
  ASSERT_EQ(v().link(b.inode, kRootInode, "c"), Code::kOk);
  ASSERT_EQ(v().rename(kRootInode, "a", kRootInode, "b"), Code::kOk);
  EXPECT_EQ(v().stat(b.inode).nlink, 1u);
  EXPECT_TRUE(v().orphans().empty());
}

TEST_P(Rename, TwoNamesOfOneInodeStay) {
  const Attr a = v().file(kRootInode, "a");
  ASSERT_EQ(v().link(a.inode, kRootInode, "b"), Code::kOk);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b"), Code::kOk);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "a"), Code::kOk);
  EXPECT_EQ(v().names(kRootInode), (std::vector<std::string>{"a", "b"}));
}

TEST_P(Rename, DirectoryMovesTakeTheirParentAlong) {
  const Attr a = v().mkdir(kRootInode, "a");
  const Attr b = v().mkdir(kRootInode, "b");
  const Attr d = v().mkdir(a.inode, "d");
  ASSERT_EQ(v().rename(a.inode, "d", b.inode, "e"), Code::kOk);
  EXPECT_EQ(v().stat(a.inode).nlink, 2u);
  EXPECT_EQ(v().stat(b.inode).nlink, 3u);
  EXPECT_EQ(v().stat(d.inode).parent, b.inode);
}

TEST_P(Rename, DirectoryReplacesOnlyAnEmptyDirectory) {
  const Attr a = v().mkdir(kRootInode, "a");
  const Attr b = v().mkdir(kRootInode, "b");
  v().file(b.inode, "f");
  v().file(kRootInode, "f");
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b"), Code::kNotEmpty);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "f"), Code::kNotDirectory);
  EXPECT_EQ(v().rename(kRootInode, "f", kRootInode, "a"), Code::kIsDirectory);
  EXPECT_EQ(v().rename(kRootInode, "b", kRootInode, "a"), Code::kOk);
  EXPECT_EQ(v().stat(a.inode).nlink, 0u);
  EXPECT_EQ(v().stat(kRootInode).nlink, 3u);
  EXPECT_EQ(v().lookup(kRootInode, "a").inode, b.inode);
}

TEST_P(Rename, NotIntoItself) {
  const Attr a = v().mkdir(kRootInode, "a");
  const Attr b = v().mkdir(a.inode, "b");
  const Attr c = v().mkdir(b.inode, "c");
  EXPECT_EQ(v().rename(kRootInode, "a", a.inode, "x"), Code::kInvalid);
  EXPECT_EQ(v().rename(kRootInode, "a", c.inode, "x"), Code::kInvalid);
  EXPECT_EQ(v().rename(b.inode, "c", kRootInode, "a"), Code::kNotEmpty);
  EXPECT_EQ(v().rename(b.inode, "c", kRootInode, "a", {.exchange = true}), Code::kInvalid);
  EXPECT_EQ(v().rename(b.inode, "c", kRootInode, "c"), Code::kOk);
}

TEST_P(Rename, NoReplace) {
  v().file(kRootInode, "a");
  v().file(kRootInode, "b");
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "b", {.no_replace = true}), Code::kExists);
  EXPECT_EQ(v().rename(kRootInode, "a", kRootInode, "c", {.no_replace = true}), Code::kOk);
  EXPECT_EQ(v().rename(kRootInode, "c", kRootInode, "b", {.no_replace = true, .exchange = true}), Code::kInvalid);
}

TEST_P(Rename, ExchangeSwapsAnyTwo) {
  const Attr a = v().mkdir(kRootInode, "a");
  const Attr d = v().mkdir(a.inode, "d");
  const Attr f = v().file(kRootInode, "f");
  EXPECT_EQ(v().rename(a.inode, "d", kRootInode, "none", {.exchange = true}), Code::kNotFound);
  const auto swapped = run(service().rename(root(), a.inode, "d", kRootInode, "f", {.exchange = true}));
  ASSERT_TRUE(swapped);
  EXPECT_EQ(swapped->replaced->inode, f.inode);
  EXPECT_EQ(v().lookup(a.inode, "d").inode, f.inode);
  EXPECT_EQ(v().lookup(kRootInode, "f").inode, d.inode);
  EXPECT_EQ(v().stat(d.inode).parent, kRootInode);
  EXPECT_EQ(v().stat(a.inode).nlink, 2u);
  EXPECT_EQ(v().stat(kRootInode).nlink, 4u);
  EXPECT_EQ(v().stat(f.inode).nlink, 1u);
}

TEST_P(Rename, StickyDirectoryProtectsOthersFiles) {
  const Attr tmp = v().mkdir(kRootInode, "tmp");
  v().chmod(tmp.inode, 01777);
  v().file(tmp.inode, "mine", 0644, user(5));
  v().file(tmp.inode, "theirs", 0644, user(6));
  EXPECT_EQ(v().rename(tmp.inode, "theirs", tmp.inode, "x", {}, user(5)), Code::kNotPermitted);
  EXPECT_EQ(v().rename(tmp.inode, "mine", tmp.inode, "theirs", {}, user(5)), Code::kNotPermitted);
  EXPECT_EQ(v().rename(tmp.inode, "mine", tmp.inode, "x", {}, user(5)), Code::kOk);
  EXPECT_EQ(v().rename(tmp.inode, "x", tmp.inode, "theirs"), Code::kOk);
}

TEST_P(Rename, MovingADirectoryNeedsWriteOnIt) {
  const Attr a = v().mkdir(kRootInode, "a", 0777);
  const Attr b = v().mkdir(kRootInode, "b", 0777);
  v().chmod(a.inode, 0777);
  v().chmod(b.inode, 0777);
  const Attr d = v().mkdir(a.inode, "d", 0755, user(5));
  v().set(d.inode, {.mode = 0555});
  EXPECT_EQ(v().rename(a.inode, "d", b.inode, "d", {}, user(5)), Code::kAccessDenied);
  EXPECT_EQ(v().rename(a.inode, "d", a.inode, "e", {}, user(5)), Code::kOk);
}

}  // namespace
}  // namespace firn::meta
