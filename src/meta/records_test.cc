// Keys and records as bytes: they must never change, or volumes that exist become unreadable.
#include "meta/records.h"

#include <gtest/gtest.h>

#include "meta/keys.h"

namespace firn::meta {
namespace {

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[uint8_t(c) >> 4];
    text += kDigits[uint8_t(c) & 15];
  }
  return text;
}

TEST(Keys, GoldenBytes) {
  const InodeId id(0x0102030405060708);
  EXPECT_EQ(hex(volume_key()), "56");
  EXPECT_EQ(hex(inode_key(id)), "490102030405060708");
  EXPECT_EQ(hex(dirent_key(id, "ab")), "4401020304050607086162");
  EXPECT_EQ(hex(xattr_key(id, "user.a")), "580102030405060708757365722e61");
  EXPECT_EQ(hex(inline_key(id)), "4e0102030405060708");
  EXPECT_EQ(hex(orphan_key(id)), "4f0102030405060708");
  EXPECT_EQ(hex(live_key(id)), "4c0102030405060708");
  EXPECT_EQ(std::string_view(counter_key(kNextInodeCounter)), "Snext_inode");
  EXPECT_EQ(std::string_view(counter_key(kInodesCounter)), "Sinodes");
  EXPECT_EQ(std::string_view(counter_key(kBytesCounter)), "Sbytes");
  EXPECT_EQ(std::string_view(counter_key(kSessionName)), "Ssession");
  EXPECT_EQ(hex(encode_counter(0x0102)), "0201000000000000");
}

TEST(Keys, RangesHoldWhatTheySay) {
  const InodeId id(7);
  const kv::Range all = names_after(Prefix::kDirent, id, "");
  const kv::Range rest = names_after(Prefix::kDirent, id, "b");
  const std::string b = dirent_key(id, "b").str(), b0 = dirent_key(id, std::string_view("b\0", 2)).str();
  EXPECT_LE(all.begin, b);
  EXPECT_LT(b, all.end);
  EXPECT_LT(b, rest.begin);
  EXPECT_LE(rest.begin, b0);
  EXPECT_LT(dirent_key(id, std::string(255, '\xff')).str(), all.end);
  EXPECT_GE(dirent_key(InodeId(8), "").str(), all.end);
  const kv::Range orphans = inodes_after(Prefix::kOrphan, id);
  EXPECT_LT(orphan_key(id).str(), orphans.begin);
  EXPECT_LE(orphans.begin, orphan_key(InodeId(8)).str());
  EXPECT_LT(orphan_key(InodeId(~uint64_t{0})).str(), orphans.end);
}

TEST(Keys, PartsOfShortKeysAreCorrupt) {
  EXPECT_EQ(*inode_of_key(dirent_key(InodeId(9), "n")), InodeId(9));
  EXPECT_EQ(*name_of_key(dirent_key(InodeId(9), "n")), "n");
  EXPECT_EQ(inode_of_key("I1234567").error().code(), Code::kCorrupt);
  EXPECT_EQ(name_of_key(inode_key(InodeId(9))).error().code(), Code::kCorrupt);
  EXPECT_EQ(decode_counter("1234").error().code(), Code::kCorrupt);
}

Inode full_inode() {
  Inode inode;
  inode.attr = {.inode = InodeId(42),
                .type = FileType::kRegular,
                .mode = 04755,
                .nlink = 3,
                .uid = 1000,
                .gid = 1001,
                .rdev = 0,
                .size = 5000,
                .allocated_bytes = 8192,
                .atime = {-1, 999'999'999},
                .mtime = {1'700'000'000, 1},
                .ctime = {1'700'000'001, 2},
                .btime = {5'000'000'000, 3},
                .flags = kFlagAppend,
                .xattr_count = 2,
                .parent = {},
                .content = {.backing = BackingId(77), .settled = true, .live = true, .boot_session = 5}};
  inode.xattr_bytes = 12;
  return inode;
}

TEST(Records, GoldenInode) {
  EXPECT_EQ(hex(encode_inode(full_inode())),
            "080110ed13180320e80728e90730882738804040014dffc99a3b5080c49fd50c5d01000000"
            "6082c49fd50c6d020000007080c8afa0257d03000000800120980102a0010c"
            "b9014d00000000000000c00101c80101d00105");
}

TEST(Records, GoldenPolicy) {
  Inode inode;
  inode.attr.policy = {.skip = 6, .pinned = true};
  EXPECT_EQ(hex(encode_inode(inode)),
            "080198020"
            "6a00201");
}

TEST(Records, GoldenName) {
  Inode inode;
  inode.name_it(InodeId(1), "a");
  EXPECT_EQ(hex(encode_inode(inode)), "0801900101da020161");
  EXPECT_EQ(decode_inode(InodeId(2), encode_inode(inode))->name, "a");
  inode.name = std::string(kMaxNameBytes + 1, 'a');
  EXPECT_EQ(decode_inode(InodeId(2), encode_inode(inode)).error().code(), Code::kCorrupt);
}

TEST(Records, GoldenDirent) { EXPECT_EQ(hex(encode_dirent({InodeId(300), FileType::kDirectory})), "08ac021002"); }

TEST(Records, InodesSurviveTheRoundTrip) {
  Inode inode = full_inode();
  inode.has_inline = inode.unnamed = true;
  inode.attr.policy = {.skip = kEveryTier, .pinned = true};
  inode.set_extra(&Extras::target, std::string("a\0b", 3));
  const auto back = decode_inode(InodeId(42), encode_inode(inode));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->attr.atime, inode.attr.atime);
  EXPECT_EQ(back->attr.btime, inode.attr.btime);
  EXPECT_EQ(back->attr.content, inode.attr.content);
  EXPECT_EQ(back->attr.mode, inode.attr.mode);
  EXPECT_EQ(back->attr.policy, inode.attr.policy);
  EXPECT_EQ(back->target(), inode.target());
  EXPECT_TRUE(back->has_inline && back->unnamed);
  EXPECT_EQ(encode_inode(*back), encode_inode(inode));
}

TEST(Records, ReusedMessagesDoNotLeakIntoTheNextRecord) {
  Inode link = full_inode();
  link.set_extra(&Extras::target, "somewhere");
  (void)decode_inode(InodeId(1), std::string(encode_inode(link)));
  const auto plain = decode_inode(InodeId(2), std::string(encode_inode(full_inode())));
  EXPECT_EQ(plain->extras, nullptr);
}

TEST(Records, DamageIsCorrupt) {
  Inode inode = full_inode();
  inode.attr.mode = 010000;
  EXPECT_EQ(decode_inode(InodeId(1), encode_inode(inode)).error().code(), Code::kCorrupt);
  inode = full_inode();
  inode.attr.mtime.nanoseconds = 1'000'000'000;
  EXPECT_EQ(decode_inode(InodeId(1), encode_inode(inode)).error().code(), Code::kCorrupt);
  inode = full_inode();
  inode.attr.policy.skip = kEveryTier + 1;
  EXPECT_EQ(decode_inode(InodeId(1), encode_inode(inode)).error().code(), Code::kCorrupt);
  inode = full_inode();
  inode.set_extra(&Extras::access_acl, "nonsense");
  EXPECT_EQ(decode_inode(InodeId(1), encode_inode(inode)).error().code(), Code::kCorrupt);
  EXPECT_EQ(decode_inode(InodeId(1), "").error().code(), Code::kCorrupt);
  EXPECT_EQ(decode_inode(InodeId(1), "\xff\xff").error().code(), Code::kCorrupt);
  EXPECT_EQ(decode_dirent("").error().code(), Code::kCorrupt);
}

// Fields that a newer firn added are ignored.
TEST(Records, UnknownFieldsAreIgnored) {
  const std::string newer = std::string(encode_dirent({InodeId(300), FileType::kDirectory})) + "\xf8\x07\x01";
  EXPECT_EQ(*decode_dirent(newer), (Dirent{InodeId(300), FileType::kDirectory}));
}

}  // namespace
}  // namespace firn::meta
