#include "cli/mounts.h"

#include <gtest/gtest.h>

namespace firn::cli {
namespace {

TEST(Mounts, ReadsMountinfo) {
  const auto mounts = parse_mountinfo(
      "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
      "40 22 0:35 / /mnt/with\\040blank rw,relatime shared:2 master:3 - fuse.firn /srv/a\\134b rw,user_id=0\n"
      "41 22 0:36 / /bare rw - fuse.firn /srv/c rw\n"
      "garbage\n"
      "42 22 0:37 / /cut rw -\n");
  ASSERT_EQ(mounts.size(), 3u);
  EXPECT_EQ(mounts[0].type, "ext4");
  EXPECT_EQ(mounts[1].point, "/mnt/with blank");
  EXPECT_EQ(mounts[1].source, "/srv/a\\b");
  EXPECT_EQ(mounts[2].point, "/bare");
}

TEST(Mounts, SaysWhereNothingIs) {
  EXPECT_EQ(find_mount("/nonexistent/folder").error().code(), Code::kNotFound);
  EXPECT_EQ(mount_of("/nonexistent/folder").error().code(), Code::kNotFound);
  EXPECT_TRUE(find_mount("/proc")) << "proc is mounted wherever tests run";
}

}  // namespace
}  // namespace firn::cli
