#include "meta/event.h"

#include <gtest/gtest.h>

#include "base/hex.h"

namespace firn::meta {
namespace {

EventDraft full_event() {
  return {.kind = EventKind::kRenamed,
          .inode = InodeId(300),
          .type = FileType::kSymlink,
          .nlink = 2,
          .size = 5000,
          .time = {1'700'000'000, 7},
          .uid = 0,
          .at = {InodeId(1), "new"},
          .from = {InodeId(2), "old"},
          .other = InodeId(9),
          .other_type = FileType::kDirectory,
          .other_nlink = 3,
          .xattr = "user.x",
          .request = {1, 2}};
}

TEST(EventRecords, Golden) {
  EXPECT_EQ(to_hex(encode_event(full_event())),
            "080310ac0218032002288827"
            "3080c49fd50c3d0700000040004801520"
            "36e657758026203"
            "6f6c6468097002780382010"
            "6757365722e78"
            "8901"
            "0100000000000000"
            "9101"
            "0200000000000000");
  EXPECT_EQ(to_hex(encode_event({.inode = InodeId(2)})), "080110021801");
}

TEST(EventRecords, SurviveTheRoundTrip) {
  const auto back = decode_event(std::string(encode_event(full_event())));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kind, EventKind::kRenamed);
  EXPECT_EQ(back->uid, 0u);
  EXPECT_EQ(back->at, (EventPlace{InodeId(1), "new"}));
  EXPECT_EQ(back->from, (EventPlace{InodeId(2), "old"}));
  EXPECT_EQ(back->other, InodeId(9));
  EXPECT_EQ(back->other_type, FileType::kDirectory);
  EXPECT_EQ(back->other_nlink, 3u);
  EXPECT_EQ(back->xattr, "user.x");
  EXPECT_EQ(back->request, (RequestId{1, 2}));
  EXPECT_EQ(decode_event(std::string(encode_event({.inode = InodeId(2)})))->uid, std::nullopt);
}

TEST(EventRecords, GarbageIsCorrupt) {
  for (std::string_view bytes : {std::string_view(""), std::string_view("\xff\xff"), std::string_view("\x08\x01", 2)})
    EXPECT_EQ(decode_event(bytes).error().code(), Code::kCorrupt);
  const std::string long_name(kMaxNameBytes + 1, 'x');
  for (EventDraft bad : {EventDraft{}, EventDraft{.kind = EventKind(77), .inode = InodeId(2)},
                         EventDraft{.inode = InodeId(2), .type = FileType(0)},
                         EventDraft{.inode = InodeId(2), .at = {InodeId(1), long_name}},
                         EventDraft{.inode = InodeId(2), .other = InodeId(3), .other_type = FileType(9)},
                         EventDraft{.inode = InodeId(2), .time = {1, 1'000'000'000}}})
    EXPECT_EQ(decode_event(std::string(encode_event(bad))).error().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace firn::meta
