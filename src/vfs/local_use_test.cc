#include "vfs/local_use.h"

#include <gtest/gtest.h>

namespace firn::vfs {
namespace {

// Two files of 100 bytes were there; meanwhile one grows, one is removed, and there is another.
TEST(LocalUse, WhatIsNotedDuringAWalkCountsOnce) {
  LocalUse use;
  use.set_whole(200);
  use.begin_walk();
  use.walked(InodeId(5));  // has found the first, of 100
  use.note_whole(InodeId(3), 40);
  EXPECT_EQ(use.whole_bytes(), 240u);
  use.note_whole(InodeId(8), -100);
  use.note_whole(InodeId(9), 1000);
  use.walked(InodeId(9));  // has found the new one, as it is now
  use.note_whole(InodeId(9), 7);
  use.end_walk(1100);
  EXPECT_EQ(use.whole_bytes(), 1147u);
  use.note_whole(InodeId(1), 3);
  EXPECT_EQ(use.whole_bytes(), 1150u);
}

TEST(LocalUse, AWalkThatDoesNotEndChangesNothing) {
  LocalUse use;
  use.set_whole(200);
  use.begin_walk();
  use.walked(InodeId(5));
  use.note_whole(InodeId(3), 40);
  use.begin_walk();
  EXPECT_EQ(use.whole_bytes(), 240u);
  use.walked(InodeId(5));
  use.end_walk(240);
  EXPECT_EQ(use.whole_bytes(), 240u);
}

// What the disk said of it is of before it went.
TEST(LocalUse, WhatGoesWhileItIsCountedIsNotFound) {
  LocalUse use;
  {
    LocalUse::Finding finding(use);
    use.forget_part(BackingId(7));
    finding.found_part(BackingId(7), 100);
    finding.found_part(BackingId(8), 10);
    finding.found_part(BackingId(8), 10);
  }
  EXPECT_EQ(use.part_bytes(), 10u);
  EXPECT_FALSE(use.knows_part(BackingId(7)));
  LocalUse::Finding later(use);
  later.found_part(BackingId(7), 1);
  EXPECT_EQ(use.part_bytes(), 11u) << "some of it has come back since";
}

}  // namespace
}  // namespace firn::vfs
