// Names and links: lookup, make, create, link, unlink, rmdir, readdir.
#include "meta/keys.h"
#include "meta/records.h"
#include "meta/testing/fixture.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

FIRN_META_SUITE(Names);

TEST_P(Names, RootIsAnEmptyDirectory) {
  const Attr attr = v().stat(kRootInode);
  EXPECT_EQ(attr.type, FileType::kDirectory);
  EXPECT_EQ(attr.nlink, 2u);
  EXPECT_EQ(attr.mode, 0777u);
  EXPECT_EQ(attr.parent, kRootInode);
  EXPECT_TRUE(v().names(kRootInode).empty());
}

TEST_P(Names, CreatedFileIsFoundWithItsAttributes) {
  const Attr made = v().file(kRootInode, "f", 0640, user(7, 8));
  const Attr found = v().lookup(kRootInode, "f");
  EXPECT_EQ(found.inode, made.inode);
  EXPECT_EQ(found.mode, 0640u);
  EXPECT_EQ(found.uid, 7u);
  EXPECT_EQ(found.gid, 8u);
  EXPECT_EQ(found.nlink, 1u);
  EXPECT_EQ(found.size, 0u);
  EXPECT_EQ(found.mtime, made.mtime);
  EXPECT_EQ(v().stat(made.inode).ctime, made.ctime);
}

TEST_P(Names, CreateTouchesTheParentOnceAndNotItsAtime) {
  const Attr before = v().stat(kRootInode);
  const Attr made = v().file(kRootInode, "f");
  const Attr after = v().stat(kRootInode);
  EXPECT_EQ(after.mtime, made.mtime);
  EXPECT_EQ(after.ctime, made.ctime);
  EXPECT_EQ(after.atime, before.atime);
}

TEST_P(Names, CreateOnAnExistingNameYieldsItUnlessExclusive) {
  const Attr made = v().file(kRootInode, "f");
  const auto again = run(service().create(root(), kRootInode, "f", regular(), false));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(again->attr.inode, made.inode);
  EXPECT_EQ(code_of(run(service().create(root(), kRootInode, "f", regular(), true))), Code::kExists);
  EXPECT_EQ(v().make_code(kRootInode, "f", directory()), Code::kExists);
}

TEST_P(Names, UmaskIsApplied) {
  NodeSpec spec = regular(0666);
  spec.umask = 027;
  EXPECT_EQ(v().make(kRootInode, "f", spec).mode, 0640u);
}

TEST_P(Names, EveryTypeIsMade) {
  EXPECT_EQ(v().make(kRootInode, "fifo", {.type = FileType::kFifo, .mode = 0600}).type, FileType::kFifo);
  EXPECT_EQ(v().make(kRootInode, "sock", {.type = FileType::kSocket, .mode = 0600}).type, FileType::kSocket);
  const Attr device = v().make(kRootInode, "dev", {.type = FileType::kBlockDevice, .mode = 0600, .rdev = 0x12345});
  EXPECT_EQ(v().stat(device.inode).rdev, 0x12345u);
  EXPECT_EQ(v().make_code(kRootInode, "d2", {.type = FileType::kCharDevice}, user(5)), Code::kNotPermitted);
}

TEST_P(Names, SymlinkKeepsItsTarget) {
  const std::string target(kMaxSymlinkBytes, 'x');
  const Attr link = v().make(kRootInode, "l", symlink(target));
  EXPECT_EQ(link.size, target.size());
  EXPECT_EQ(link.mode, 0777u);
  EXPECT_EQ(run(service().readlink(link.inode)), target);
  EXPECT_EQ(v().make_code(kRootInode, "m", symlink(target + "x")), Code::kNameTooLong);
  EXPECT_EQ(v().make_code(kRootInode, "m", symlink("")), Code::kNotFound);
  EXPECT_EQ(code_of(run(service().readlink(kRootInode))), Code::kInvalid);
}

TEST_P(Names, NamesHaveTheirLimits) {
  const std::string longest(kMaxNameBytes, 'n');
  v().file(kRootInode, longest);
  EXPECT_EQ(v().lookup_code(kRootInode, longest), Code::kOk);
  const std::string too_long = longest + "n";
  EXPECT_EQ(v().lookup_code(kRootInode, too_long), Code::kNameTooLong);
  EXPECT_EQ(v().make_code(kRootInode, too_long, regular()), Code::kNameTooLong);
  EXPECT_EQ(v().unlink(kRootInode, too_long), Code::kNameTooLong);
  EXPECT_EQ(v().rename(kRootInode, longest, kRootInode, too_long), Code::kNameTooLong);
  const std::string odd = "\x01\xff new\nline";
  const Attr made = v().file(kRootInode, odd);
  EXPECT_EQ(v().lookup(kRootInode, odd).inode, made.inode);
}

TEST_P(Names, NothingLivesBelowAFile) {
  const Attr file = v().file(kRootInode, "f");
  EXPECT_EQ(v().lookup_code(file.inode, "x"), Code::kNotDirectory);
  EXPECT_EQ(v().make_code(file.inode, "x", regular()), Code::kNotDirectory);
  EXPECT_EQ(v().unlink(file.inode, "x"), Code::kNotDirectory);
  EXPECT_EQ(code_of(run(service().readdir(file.inode, {}, {}))), Code::kNotDirectory);
}

TEST_P(Names, MissingNamesAndInodes) {
  EXPECT_EQ(v().lookup_code(kRootInode, "none"), Code::kNotFound);
  EXPECT_EQ(v().unlink(kRootInode, "none"), Code::kNotFound);
  EXPECT_EQ(v().rmdir(kRootInode, "none"), Code::kNotFound);
  EXPECT_EQ(code_of(run(service().getattr(InodeId(999'999)))), Code::kStale);
  EXPECT_EQ(v().make_code(InodeId(999'999), "x", regular()), Code::kNotFound);
}

TEST_P(Names, NegativeLookupIsForgottenByCreate) {
  EXPECT_EQ(v().lookup_code(kRootInode, "f"), Code::kNotFound);
  v().file(kRootInode, "f");
  EXPECT_EQ(v().lookup_code(kRootInode, "f"), Code::kOk);
  EXPECT_EQ(v().unlink(kRootInode, "f"), Code::kOk);
  EXPECT_EQ(v().lookup_code(kRootInode, "f"), Code::kNotFound);
}

TEST_P(Names, DirectoriesCountTheirChildrenDirectories) {
  const Attr a = v().mkdir(kRootInode, "a");
  EXPECT_EQ(a.nlink, 2u);
  EXPECT_EQ(a.parent, kRootInode);
  EXPECT_EQ(v().stat(kRootInode).nlink, 3u);
  v().mkdir(a.inode, "b");
  v().file(a.inode, "f");
  EXPECT_EQ(v().stat(a.inode).nlink, 3u);
  EXPECT_EQ(v().rmdir(a.inode, "b"), Code::kOk);
  EXPECT_EQ(v().stat(a.inode).nlink, 2u);
}

TEST_P(Names, RmdirTakesOnlyEmptyDirectories) {
  const Attr a = v().mkdir(kRootInode, "a");
  v().file(a.inode, "f");
  EXPECT_EQ(v().rmdir(kRootInode, "a"), Code::kNotEmpty);
  EXPECT_EQ(v().rmdir(a.inode, "f"), Code::kNotDirectory);
  EXPECT_EQ(v().unlink(kRootInode, "a"), Code::kIsDirectory);
  EXPECT_EQ(v().unlink(a.inode, "f"), Code::kOk);
  EXPECT_EQ(v().rmdir(kRootInode, "a"), Code::kOk);
  EXPECT_EQ(v().stat(a.inode).nlink, 0u);
  EXPECT_EQ(v().stat(kRootInode).nlink, 2u);
}

TEST_P(Names, NothingIsMadeInARemovedDirectory) {
  const Attr a = v().mkdir(kRootInode, "a");
  const Attr file = v().file(kRootInode, "f");
  ASSERT_EQ(v().rmdir(kRootInode, "a"), Code::kOk);
  EXPECT_EQ(v().make_code(a.inode, "x", regular()), Code::kNotFound);
  EXPECT_EQ(v().link(file.inode, a.inode, "x"), Code::kNotFound);
  EXPECT_EQ(v().rename(kRootInode, "f", a.inode, "x"), Code::kNotFound);
  EXPECT_EQ(code_of(run(service().create_unnamed(root(), a.inode, regular()))), Code::kNotFound);
}

TEST_P(Names, HardLinksShareTheInode) {
  const Attr file = v().file(kRootInode, "f");
  const Attr a = v().mkdir(kRootInode, "a");
  ASSERT_EQ(v().link(file.inode, a.inode, "g"), Code::kOk);
  const Attr linked = v().lookup(a.inode, "g");
  EXPECT_EQ(linked.inode, file.inode);
  EXPECT_EQ(linked.nlink, 2u);
  EXPECT_GT(linked.ctime, file.ctime);
  EXPECT_EQ(linked.mtime, file.mtime);
  EXPECT_EQ(v().stat(a.inode).mtime, linked.ctime);
  EXPECT_EQ(v().link(file.inode, a.inode, "g"), Code::kExists);
  EXPECT_EQ(v().link(a.inode, kRootInode, "b"), Code::kNotPermitted);
  ASSERT_EQ(v().unlink(kRootInode, "f"), Code::kOk);
  EXPECT_EQ(v().stat(file.inode).nlink, 1u);
  EXPECT_TRUE(v().orphans().empty());
}

TEST_P(Names, LinksHaveALimit) {
  const Attr file = v().file(kRootInode, "f");
  // Getting there one by one would take a while: the stored count is raised instead.
  Inode crowded;
  crowded.attr = file;
  crowded.attr.nlink = kMaxLinks - 1;
  kv::testing::Tx(*engine_).put(inode_key(file.inode), encode_inode(crowded)).commit();
  volume_ = std::make_unique<Volume>(*engine_, small_options(clock_, GetParam()));
  EXPECT_EQ(v().link(file.inode, kRootInode, "last"), Code::kOk);
  EXPECT_EQ(v().link(file.inode, kRootInode, "more"), Code::kTooManyLinks);
  EXPECT_EQ(v().lookup_code(kRootInode, "more"), Code::kNotFound);
}

TEST_P(Names, UnlinkedFileStaysUntilReclaimed) {
  const Attr file = v().file(kRootInode, "f");
  v().update(file.inode, {.size = 5, .inline_data = "hello"});
  v().setxattr(file.inode, "user.a", "b");
  const Usage full = v().usage();
  const auto removed = run(service().unlink(root(), kRootInode, "f"));
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->attr.nlink, 0u);
  EXPECT_EQ(v().orphans(), std::vector<InodeId>{file.inode});
  EXPECT_EQ(run(service().read_inline(file.inode)), "hello");
  EXPECT_EQ(v().link(file.inode, kRootInode, "g"), Code::kNotFound);
  const auto last = run(service().reclaim(file.inode));
  ASSERT_TRUE(last && last->has_value());
  EXPECT_EQ((*last)->size, 5u);
  EXPECT_TRUE(v().orphans().empty());
  EXPECT_EQ(code_of(run(service().getattr(file.inode))), Code::kStale);
  EXPECT_EQ(v().usage().inodes, full.inodes - 1);
  EXPECT_EQ(v().usage().bytes, full.bytes - 512);
  EXPECT_EQ(run(service().reclaim(file.inode))->has_value(), false);
}

TEST_P(Names, AnUnheldFileIsReclaimedByItsLastUnlink) {
  const Attr file = v().file(kRootInode, "f");
  const Usage empty = v().usage();
  v().update(file.inode, {.size = 5, .allocated_bytes = 512, .inline_data = "hello"});
  v().setxattr(file.inode, "user.a", "b");
  ASSERT_EQ(v().link(file.inode, kRootInode, "g"), Code::kOk);
  EXPECT_FALSE(run(service().unlink(root(), kRootInode, "f", {.unheld = file.inode}))->reclaimed);
  v().file(kRootInode, "other");
  EXPECT_FALSE(run(service().unlink(root(), kRootInode, "other", {.unheld = file.inode}))->reclaimed);
  EXPECT_TRUE(run(service().unlink(root(), kRootInode, "g", {.unheld = file.inode}))->reclaimed);
  EXPECT_EQ(code_of(run(service().getattr(file.inode))), Code::kStale);
  EXPECT_EQ(v().orphans().size(), 1u);  // "other" is held, as far as the service knows
  EXPECT_EQ(v().usage().inodes, empty.inodes);
  EXPECT_EQ(v().usage().bytes, empty.bytes);
}

TEST_P(Names, ReclaimLeavesLinkedInodesAlone) {
  const Attr file = v().file(kRootInode, "f");
  EXPECT_EQ(run(service().reclaim(file.inode))->has_value(), false);
  EXPECT_EQ(v().lookup_code(kRootInode, "f"), Code::kOk);
}

TEST_P(Names, UnnamedFileMayBeLinkedOnce) {
  const auto made = run(service().create_unnamed(root(), kRootInode, regular(0600)));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->nlink, 0u);
  EXPECT_EQ(v().orphans(), std::vector<InodeId>{made->inode});
  ASSERT_EQ(v().link(made->inode, kRootInode, "t"), Code::kOk);
  EXPECT_TRUE(v().orphans().empty());
  EXPECT_EQ(v().lookup(kRootInode, "t").nlink, 1u);
  ASSERT_EQ(v().unlink(kRootInode, "t"), Code::kOk);
  EXPECT_EQ(v().link(made->inode, kRootInode, "t"), Code::kNotFound);
}

TEST_P(Names, InodeNumbersAreNeverUsedTwice) {
  const Attr before = v().file(kRootInode, "a");
  volume_ = std::make_unique<Volume>(*engine_, small_options(clock_, GetParam()));
  EXPECT_GT(v().file(kRootInode, "b").inode, before.inode);
}

TEST_P(Names, ReaddirPagesInNameOrder) {
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) expected.push_back("n" + std::to_string(1000 + i));
  for (const std::string& name : expected) v().file(kRootInode, name);
  std::vector<std::string> seen;
  std::string after;
  for (;;) {
    const auto page = run(service().readdir(kRootInode, after, {.limit = 7, .attributes = true}));
    ASSERT_TRUE(page);
    for (const DirEntry& entry : *page) {
      seen.push_back(entry.name);
      ASSERT_TRUE(entry.attr);
      EXPECT_EQ(entry.attr->inode, entry.inode);
      EXPECT_EQ(entry.attr->type, entry.type);
    }
    if (page->size() < 7) break;
    after = page->back().name;
  }
  EXPECT_EQ(seen, expected);
}

TEST_P(Names, ReaddirAttributesAreCurrent) {
  const Attr file = v().file(kRootInode, "f");
  v().update(file.inode, {.size = 77});
  const auto page = run(service().readdir(kRootInode, {}, {.attributes = true}));
  ASSERT_EQ(page->size(), 1u);
  EXPECT_EQ(page->front().attr->size, 77u);
}

}  // namespace
}  // namespace firn::meta
