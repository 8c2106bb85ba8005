// Extended attributes and ACLs through the service.
#include <unistd.h>

#include "meta/acl.h"
#include "meta/testing/fixture.h"
#include "meta/testing/invariants.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

FIRN_META_SUITE(Xattrs);

Acl named_user(uint32_t uid, uint16_t permissions, uint16_t mask = 7) {
  return {{AclTag::kUserObj, 6},
          {AclTag::kUser, permissions, uid},
          {AclTag::kGroupObj, 4},
          {AclTag::kMask, mask},
          {AclTag::kOther, 0}};
}

TEST_P(Xattrs, SetGetListRemove) {
  const Attr file = v().file(kRootInode, "f");
  EXPECT_EQ(code_of(v().getxattr(file.inode, "user.a")), Code::kNoAttribute);
  ASSERT_EQ(v().setxattr(file.inode, "user.a", std::string("\0x", 2)), Code::kOk);
  ASSERT_EQ(v().setxattr(file.inode, "trusted.t", ""), Code::kOk);
  EXPECT_EQ(v().getxattr(file.inode, "user.a"), std::string("\0x", 2));
  EXPECT_EQ(v().getxattr(file.inode, "trusted.t"), "");
  EXPECT_EQ(v().listxattr(file.inode), (std::vector<std::string>{"trusted.t", "user.a"}));
  EXPECT_EQ(v().listxattr(file.inode, user(5)), std::vector<std::string>{"user.a"});
  EXPECT_EQ(v().stat(file.inode).xattr_count, 2u);
  EXPECT_GT(v().stat(file.inode).ctime, file.ctime);
  EXPECT_EQ(v().removexattr(file.inode, "user.a"), Code::kOk);
  EXPECT_EQ(v().removexattr(file.inode, "user.a"), Code::kNoAttribute);
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

TEST_P(Xattrs, ModesLimitsAndNames) {
  const Attr file = v().file(kRootInode, "f");
  EXPECT_EQ(v().setxattr(file.inode, "user.a", "1", XattrMode::kReplace), Code::kNoAttribute);
  EXPECT_EQ(v().setxattr(file.inode, "user.a", "1", XattrMode::kCreate), Code::kOk);
  EXPECT_EQ(v().setxattr(file.inode, "user.a", "2", XattrMode::kCreate), Code::kExists);
  EXPECT_EQ(v().setxattr(file.inode, "user.", "1"), Code::kInvalid);
  EXPECT_EQ(v().setxattr(file.inode, "", "1"), Code::kRange);
  EXPECT_EQ(v().setxattr(file.inode, "user." + std::string(251, 'n'), "1"), Code::kRange);
  EXPECT_EQ(v().setxattr(file.inode, "user." + std::string(250, 'n'), "1"), Code::kOk);
  EXPECT_EQ(v().setxattr(file.inode, "other.a", "1"), Code::kNotSupported);
  EXPECT_EQ(v().setxattr(file.inode, "system.a", "1"), Code::kNotSupported);
  EXPECT_EQ(v().setxattr(file.inode, "user.b", std::string(kMaxXattrValueBytes + 1, 'x')), Code::kArgumentTooBig);
  Code last = Code::kOk;
  for (int i = 0; i < 20 && last == Code::kOk; ++i)
    last = v().setxattr(file.inode, "user.big" + std::to_string(i), std::string(kMaxXattrValueBytes, 'x'));
  EXPECT_EQ(last, Code::kNoSpace);
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

TEST_P(Xattrs, NamespacesHaveTheirRules) {
  const Attr link = v().make(kRootInode, "l", symlink("x"));
  EXPECT_EQ(v().setxattr(link.inode, "user.a", "1"), Code::kNotPermitted);
  EXPECT_EQ(code_of(v().getxattr(link.inode, "user.a")), Code::kNoAttribute);
  EXPECT_EQ(v().setxattr(link.inode, "trusted.a", "1"), Code::kOk);
  const Attr file = v().file(kRootInode, "f", 0644, user(5));
  EXPECT_EQ(v().setxattr(file.inode, "user.a", "1", XattrMode::kEither, user(6)), Code::kAccessDenied);
  EXPECT_EQ(v().setxattr(file.inode, "user.a", "1", XattrMode::kEither, user(5)), Code::kOk);
  EXPECT_EQ(v().setxattr(file.inode, "trusted.a", "1", XattrMode::kEither, user(5)), Code::kNotPermitted);
  EXPECT_EQ(code_of(v().getxattr(file.inode, "trusted.a", user(5))), Code::kNoAttribute);
  EXPECT_EQ(v().setxattr(file.inode, "security.a", "1", XattrMode::kEither, user(5)), Code::kNotPermitted);
  const Attr tmp = v().mkdir(kRootInode, "tmp");
  v().chmod(tmp.inode, 01777);
  EXPECT_EQ(v().setxattr(tmp.inode, "user.a", "1", XattrMode::kEither, user(5)), Code::kNotPermitted);
}

TEST_P(Xattrs, AccessAclAndModeFollowEachOther) {
  const Attr file = v().file(kRootInode, "f", 0640, user(5));
  const std::string list = encode_acl(named_user(6, 7, 6));
  EXPECT_EQ(v().setxattr(file.inode, kAccessAclName, list, XattrMode::kEither, user(6)), Code::kNotPermitted);
  ASSERT_EQ(v().setxattr(file.inode, kAccessAclName, list, XattrMode::kEither, user(5)), Code::kOk);
  EXPECT_EQ(v().stat(file.inode).mode, 0660u);
  EXPECT_EQ(v().getxattr(file.inode, kAccessAclName), list);
  EXPECT_EQ(v().access(file.inode, R_OK | W_OK, user(6)), Code::kOk);
  EXPECT_EQ(v().access(file.inode, X_OK, user(6)), Code::kAccessDenied);
  EXPECT_EQ(v().access(file.inode, R_OK, user(7)), Code::kAccessDenied);
  v().chmod(file.inode, 0600);
  EXPECT_EQ(v().access(file.inode, R_OK, user(6)), Code::kAccessDenied);
  EXPECT_EQ(v().stat(file.inode).xattr_count, 1u);
  EXPECT_EQ(v().removexattr(file.inode, kAccessAclName), Code::kOk);
  EXPECT_EQ(v().stat(file.inode).xattr_count, 0u);
  EXPECT_EQ(v().removexattr(file.inode, kAccessAclName), Code::kOk);
}

TEST_P(Xattrs, AListThatIsOnlyAModeIsNotStored) {
  const Attr file = v().file(kRootInode, "f");
  const Acl plain{{AclTag::kUserObj, 7}, {AclTag::kGroupObj, 5}, {AclTag::kOther, 1}};
  ASSERT_EQ(v().setxattr(file.inode, kAccessAclName, encode_acl(plain)), Code::kOk);
  EXPECT_EQ(v().stat(file.inode).mode, 0751u);
  EXPECT_EQ(v().stat(file.inode).xattr_count, 0u);
}

TEST_P(Xattrs, DefaultAclIsInheritedInPlaceOfTheUmask) {
  const Attr dir = v().mkdir(kRootInode, "d", 0777);
  const std::string list = encode_acl(named_user(6, 7));
  EXPECT_EQ(v().setxattr(v().file(kRootInode, "f").inode, kDefaultAclName, list), Code::kAccessDenied);
  ASSERT_EQ(v().setxattr(dir.inode, kDefaultAclName, list), Code::kOk);
  NodeSpec spec = regular(0666);
  spec.umask = 077;
  const Attr file = v().make(dir.inode, "f", spec);
  EXPECT_EQ(file.mode, 0660u);
  EXPECT_EQ(file.xattr_count, 1u);
  EXPECT_EQ(v().access(file.inode, R_OK | W_OK, user(6)), Code::kOk);
  const Attr sub = v().mkdir(dir.inode, "s", 0777);
  EXPECT_EQ(v().getxattr(sub.inode, kDefaultAclName), list);
  EXPECT_EQ(sub.xattr_count, 2u);
  EXPECT_EQ(v().make(dir.inode, "l", symlink("x")).xattr_count, 0u);
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

TEST(Acl, MalformedListsAreRefused) {
  const std::string good = encode_acl(named_user(6, 7));
  EXPECT_EQ(*parse_acl(good), named_user(6, 7));
  EXPECT_EQ(code_of(parse_acl("")), Code::kInvalid);
  EXPECT_EQ(code_of(parse_acl(good.substr(1))), Code::kInvalid);
  EXPECT_EQ(code_of(parse_acl(std::string("\x03\0\0\0", 4))), Code::kNotSupported);
  EXPECT_TRUE(parse_acl(std::string("\x02\0\0\0", 4))->empty());
  Acl without_mask = named_user(6, 7);
  without_mask.erase(without_mask.begin() + 3);
  Acl twice = named_user(6, 7);
  twice.insert(twice.begin(), twice.front());
  Acl unordered = named_user(6, 7);
  std::swap(unordered[0], unordered[2]);
  Acl wide = named_user(6, 8);
  for (const Acl& bad : {without_mask, twice, unordered, wide, Acl{{AclTag::kUserObj, 7}}})
    EXPECT_EQ(code_of(parse_acl(encode_acl(bad))), Code::kInvalid);
}

TEST(Acl, GoldenBytes) {
  const Acl plain{{AclTag::kUserObj, 6}, {AclTag::kGroupObj, 4}, {AclTag::kOther, 0}};
  EXPECT_EQ(encode_acl(plain), std::string("\x02\0\0\0"
                                           "\x01\0\x06\0\xff\xff\xff\xff"
                                           "\x04\0\x04\0\xff\xff\xff\xff"
                                           "\x20\0\0\0\xff\xff\xff\xff",
                                           28));
}

TEST(Acl, GroupClassMatchesAreUnited) {
  const Acl acl{{AclTag::kUserObj, 7},   {AclTag::kGroupObj, 4}, {AclTag::kGroup, 2, 30},
                {AclTag::kGroup, 1, 31}, {AclTag::kMask, 6},     {AclTag::kOther, 7}};
  EXPECT_TRUE(acl_permits(acl, user(9, 20), 5, 20, R_OK));
  EXPECT_TRUE(acl_permits(acl, user(9, 20, {30}), 5, 20, W_OK));
  EXPECT_FALSE(acl_permits(acl, user(9, 20, {30}), 5, 20, R_OK | W_OK));  // no single entry grants both
  EXPECT_FALSE(acl_permits(acl, user(9, 31), 5, 20, X_OK));               // masked
  EXPECT_TRUE(acl_permits(acl, user(9, 99), 5, 20, X_OK));
  EXPECT_FALSE(acl_permits(acl, user(9, 30), 5, 20, X_OK));  // in the group class, so "other" does not count
}

}  // namespace
}  // namespace firn::meta
