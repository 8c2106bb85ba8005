// Inodes that are made as copies of others, in one transaction.
#include "meta/acl.h"
#include "meta/testing/fixture.h"
#include "meta/testing/invariants.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

FIRN_META_SUITE(Likenesses);

const Acl kList = {
    {AclTag::kUserObj, 6}, {AclTag::kUser, 4, 7}, {AclTag::kGroupObj, 4}, {AclTag::kMask, 6}, {AclTag::kOther, 0}};

TEST_P(Likenesses, AFileIsAllThereFromTheStart) {
  const Likeness like{.uid = 5,
                      .gid = 6,
                      .atime = {10, 11},
                      .mtime = {20, 21},
                      .xattrs = {{"user.a", "x"}, {std::string(kAccessAclName), encode_acl(kList)}},
                      .content = "hello"};
  NodeSpec spec = regular(04640);
  spec.umask = 0777;
  spec.like = &like;
  const Attr made = v().make(kRootInode, "f", spec);
  EXPECT_EQ(made.mode, 04660u);  // the list's mask shows as the group's bits
  EXPECT_EQ(made.uid, 5u);
  EXPECT_EQ(made.gid, 6u);
  EXPECT_EQ(made.atime, (Timestamp{10, 11}));
  EXPECT_EQ(made.mtime, (Timestamp{20, 21}));
  EXPECT_EQ(made.size, 5u);
  EXPECT_EQ(made.allocated_bytes, 512u);
  EXPECT_EQ(v().getxattr(made.inode, "user.a"), "x");
  EXPECT_EQ(v().getxattr(made.inode, kAccessAclName), encode_acl(kList));
  EXPECT_EQ(run(v().service().read_inline(made.inode)).value_or(""), "hello");
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

TEST_P(Likenesses, NothingComesFromTheFolderItIsMadeIn) {
  const Attr folder = v().mkdir(kRootInode, "d", 02755);
  ASSERT_EQ(v().setxattr(folder.inode, kDefaultAclName, encode_acl(kList)), Code::kOk);
  const Likeness like{.uid = 1, .gid = 2};
  NodeSpec spec = directory(0500);
  spec.like = &like;
  const Attr made = v().make(folder.inode, "e", spec);
  EXPECT_EQ(made.mode, 0500u);
  EXPECT_EQ(made.gid, 2u);
  EXPECT_EQ(made.xattr_count, 0u);
}

TEST_P(Likenesses, IsRefusedToOthersAndWholeWhereOneAttributeIsWrong) {
  const Likeness plain, wrong{.xattrs = {{"user.a", "x"}, {"nonsense.b", "y"}}};
  NodeSpec spec = regular();
  spec.like = &plain;
  EXPECT_EQ(v().make_code(v().mkdir(kRootInode, "d", 0777).inode, "f", spec, user(5)), Code::kNotPermitted);
  spec.like = &wrong;
  EXPECT_EQ(v().make_code(kRootInode, "g", spec), Code::kNotSupported);
  EXPECT_EQ(v().lookup_code(kRootInode, "g"), Code::kNotFound);
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

}  // namespace
}  // namespace firn::meta
